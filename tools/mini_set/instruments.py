"""Instruments: each makes a note from a frequency and a length."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import signal

from tools.mini_set.dsp import Wave, band, decay, mix_at, modes, seconds

Rng = np.random.Generator
Voice = Callable[[float, float], Wave]
"""An instrument: frequency in Hz and length in seconds to a note."""


def plucked(rng: Rng, rate: int, bright: float, sustain: float) -> Voice:
    """Karplus-Strong: a noise burst in a damped delay line of one period."""

    def note(frequency: float, length_s: float) -> Wave:
        n = round(length_s * rate)
        period = rate / frequency
        whole = int(period)
        part = float(np.clip(period - whole, 0.1, 0.9))  # damps every note; at most 2 cents off
        burst = np.zeros(n)
        burst[:whole] = rng.uniform(-1, 1, whole)
        burst = np.asarray(signal.lfilter([bright], [1, bright - 1], burst))
        loss = 10 ** (-3.0 / (sustain * frequency))
        poles = np.zeros(whole + 2)
        poles[0], poles[whole], poles[whole + 1] = 1.0, -loss * (1 - part), -loss * part
        out = np.asarray(signal.lfilter([1.0], poles, burst))
        return out * np.minimum(1.0, (n - np.arange(n)) / (0.03 * rate))

    return note


def piano(rng: Rng, rate: int) -> Voice:
    """Additive: stretched partials in detuned pairs, treble dying first, and a hammer's thud."""

    def note(frequency: float, length_s: float) -> Wave:
        k = np.arange(1, 19)
        partials = frequency * k * np.sqrt(1 + 0.0004 * k**2)
        gains = np.exp(-0.22 * k) * (0.6 + 0.4 * np.abs(np.sin(k * np.pi / 7.5)))
        t60s = 4.5 / (1 + 0.25 * k) * (220 / frequency) ** 0.3
        out = modes(length_s, rate, partials, gains, t60s, rng.uniform(0, 6.28, 18))
        out += modes(length_s, rate, partials * 1.0007, 0.6 * gains, t60s, rng.uniform(0, 6.28, 18))
        thud = band(rng.standard_normal(out.size), rate, 100, 2500)
        out += 0.25 * thud * decay(length_s, rate, 0.05)[: out.size]
        n = out.size
        ends = np.minimum(1.0, np.arange(n) / (0.002 * rate))
        return np.asarray(out * ends * np.minimum(1.0, (n - np.arange(n)) / (0.05 * rate)))

    return note


def fm(rate: int, ratio: float, index: float, t60_s: float, attack_s: float) -> Voice:
    """Two-operator frequency modulation; the index falls with the level."""

    def note(frequency: float, length_s: float) -> Wave:
        t = seconds(length_s, rate)
        envelope = decay(length_s, rate, t60_s, attack_s)[: t.size]
        brightness = index * (0.25 + 0.75 * envelope)
        inner = brightness * np.sin(2 * np.pi * ratio * frequency * t)
        release = np.minimum(1.0, (t[-1] - t) / 0.04)
        return np.asarray(envelope * release * np.sin(2 * np.pi * frequency * t + inner))

    return note


def saws(rng: Rng, rate: int, count: int, detune: float, vibrato: float, attack_s: float) -> Voice:
    """Detuned band-limited saw-tooth voices with vibrato: strings, synthesiser leads."""

    def note(frequency: float, length_s: float) -> Wave:
        t = seconds(length_s, rate)
        out = np.zeros_like(t)
        for spread in np.linspace(-detune, detune, count):
            f = frequency * (1 + spread)
            wobble = vibrato * np.sin(2 * np.pi * rng.uniform(4.8, 5.8) * t + rng.uniform(0, 6.28))
            phase = 2 * np.pi * np.cumsum(f * (1 + wobble)) / rate + rng.uniform(0, 6.28)
            for k in range(1, int(min(0.42 * rate, 9000) / f) + 1):
                out += np.sin(k * phase) / k
        shape = np.minimum(1.0, t / attack_s) * np.minimum(1.0, (t[-1] - t) / 0.12)
        return np.asarray(out * shape / count)

    return note


def organ(rate: int) -> Voice:
    """Drawbars: octaves and fifths held without decay."""

    def note(frequency: float, length_s: float) -> Wave:
        t = seconds(length_s, rate)
        out = np.zeros_like(t)
        for ratio, gain in (
            (0.5, 0.5),
            (1, 1),
            (1.5, 0.4),
            (2, 0.7),
            (3, 0.4),
            (4, 0.35),
            (8, 0.2),
        ):
            wobble = 0.6 * np.sin(2 * np.pi * 6.3 * t + ratio)
            out += gain * np.sin(2 * np.pi * ratio * frequency * t + wobble)
        shape = np.minimum(1.0, t / 0.012) * np.minimum(1.0, (t[-1] - t) / 0.03)
        return np.asarray(out * shape)

    return note


def drums(rng: Rng, rate: int, total_s: float, tempo: float, pattern: dict[str, str]) -> Wave:
    """Sixteenth-note patterns (``x`` loud, ``o`` soft) for kick, snare, hat and tom."""
    step = 60 / tempo / 4
    t = seconds(0.5, rate)
    out = np.zeros(round(total_s * rate))
    for part, hits in pattern.items():
        for i in range(int(total_s / step)):
            mark = hits[i % len(hits)]
            if mark == ".":
                continue
            if part in ("kick", "tom"):
                base = 48.0 if part == "kick" else float(rng.choice([95.0, 120.0, 150.0]))
                sweep = base * (1 + 3.5 * np.exp(-t / 0.018))
                hit = np.sin(2 * np.pi * np.cumsum(sweep) / rate) * decay(0.5, rate, 0.35, 0.001)
            elif part == "snare":
                body = np.sin(2 * np.pi * 190 * t) * decay(0.5, rate, 0.15, 0.001)
                rattle = band(rng.standard_normal(t.size), rate, 1200, None)
                hit = 0.6 * body + 0.7 * rattle * decay(0.5, rate, 0.22, 0.001)
            else:
                metal = sum(
                    signal.square(2 * np.pi * f * t) for f in (3170, 4290, 5410, 7030, 8210)
                )
                spray = band(
                    np.asarray(metal) * 0.2 + rng.standard_normal(t.size), rate, 7000, None
                )
                hit = 0.5 * spray * decay(0.5, rate, 0.09 if i % 4 else 0.25, 0.0005)
            gain = (1.0 if mark == "x" else 0.4) * rng.uniform(0.85, 1.0)
            mix_at(out, np.asarray(hit), round((0.02 + i * step) * rate), gain)
    return out
