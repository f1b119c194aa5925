"""Sound events: ten classes named as in ESC-50, five variants each, from physical sketches."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy import signal

from tools.mini_set.dsp import (
    Clip,
    Wave,
    band,
    decay,
    finish,
    generator,
    mix_at,
    modes,
    noise,
    reverb,
    seconds,
    slow_random,
)

VARIANTS = 5
Rng = np.random.Generator


def _sweep(frequency: Wave, rate: int) -> Wave:
    """Phase of a tone that follows a frequency curve in Hz."""
    return np.asarray(2 * np.pi * np.cumsum(frequency) / rate)


def siren(rng: Rng, rate: int) -> Wave:
    """A wailing or two-tone horn, passing by outdoors."""
    t = seconds(rng.uniform(1.5, 2.0), rate)
    low, high = rng.uniform(450, 620), rng.uniform(950, 1500)
    cycle = rng.uniform(0.6, 1.6) * t + rng.uniform()
    if rng.uniform() < 0.4:
        shape = (signal.square(2 * np.pi * cycle) + 1) / 2
        shape = np.asarray(signal.lfilter([0.002], [1, -0.998], shape))
    else:
        shape = np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * cycle))
    doppler = 1 + 0.02 * np.tanh((t[-1] * rng.uniform(0.3, 0.7) - t) * 3)
    phase = _sweep((low + (high - low) * shape) * doppler, rate)
    tone = sum(np.sin(k * phase) / k**1.3 for k in range(1, 9))
    passing = 0.4 + np.exp(-(((t - t.mean()) / t.mean()) ** 2) * 2)
    wave = band(np.asarray(tone * passing), rate, 400, 6000)
    street = 0.05 * noise(rng, t.size, rate, -4.0)
    return reverb(wave, rng, rate, rng.uniform(0.4, 1.0), 0.4) + street


def rain(rng: Rng, rate: int) -> Wave:
    """A hiss of far drops and the ticks of near ones, on a roof or on leaves."""
    n = round(rng.uniform(1.2, 1.6) * rate)
    hiss = band(noise(rng, n, rate, rng.uniform(-3, 0)), rate, 700, None)
    hiss *= 0.25 * (1 + 0.3 * slow_random(rng, n, rate, 4))
    wave = np.asarray(hiss)
    for _ in range(int(rng.uniform(60, 300) * n / rate)):
        f, length = rng.uniform(1200, 7000), rng.uniform(0.004, 0.02)
        drop = np.sin(2 * np.pi * f * seconds(length, rate)) * decay(length, rate, length, 0.0003)
        mix_at(wave, drop, int(rng.integers(n)), rng.exponential(0.5))
    return wave


def clock_tick(rng: Rng, rate: int) -> Wave:
    """Alternating ticks and tocks of a small metal movement in a wooden case."""
    n = round(rng.uniform(1.6, 2.2) * rate)
    wave = np.zeros(n)
    period, body = rng.uniform(0.25, 0.5), rng.uniform(0.8, 1.3)
    at, beat = rng.uniform(0.03, 0.1), 0
    metal = rng.uniform(2500, 7500, 7)
    while at * rate < n:
        tone = 1.0 if beat % 2 == 0 else 0.88
        frequencies = np.concatenate([metal * tone, body * tone * np.array([420.0, 910.0, 1450.0])])
        gains = np.concatenate([rng.uniform(0.3, 1, 7), [0.6, 0.5, 0.4]])
        t60s = np.concatenate([rng.uniform(0.01, 0.05, 7), [0.06, 0.05, 0.04]])
        tick = modes(0.12, rate, frequencies, gains, t60s, rng.uniform(0, 6.28, 10))
        for delay, gain in ((0.0, 1.0), (rng.uniform(0.008, 0.016), 0.5)):
            mix_at(wave, tick, round((at + delay) * rate), gain * rng.uniform(0.85, 1.0))
        at, beat = at + period * rng.uniform(0.995, 1.005), beat + 1
    return reverb(wave, rng, rate, 0.25, 0.15)


def door_wood_knock(rng: Rng, rate: int) -> Wave:
    """Knuckles on a wooden door, three to five times."""
    count, gap = int(rng.integers(3, 6)), rng.uniform(0.16, 0.32)
    wave = np.zeros(round((count * gap + 0.5) * rate))
    base = rng.uniform(85, 170)
    ratios = np.array([1.0, 1.62, 2.3, 3.4, 4.7, 6.9, 9.5, 13.0]) * rng.uniform(0.96, 1.04, 8)
    for knock in range(count):
        hit = modes(
            0.3,
            rate,
            base * ratios * rng.uniform(0.98, 1.02),
            rng.uniform(0.4, 1, 8) / np.sqrt(ratios),
            0.22 / ratios**0.6,
            rng.uniform(0, 6.28, 8),
        )
        contact = band(rng.standard_normal(hit.size), rate, 300, 4000)
        hit = (hit + 0.6 * contact * decay(0.3, rate, 0.02, 0.0005)) * np.minimum(
            1, seconds(0.3, rate) / 0.0012
        )
        at = 0.05 + knock * gap * rng.uniform(0.94, 1.06)
        mix_at(wave, hit, round(at * rate), rng.uniform(0.6, 1.0))
    return reverb(wave, rng, rate, rng.uniform(0.3, 0.7), 0.35)


def engine(rng: Rng, rate: int) -> Wave:
    """Combustion pulses with uneven cylinders, an exhaust resonance and intake noise."""
    t = seconds(rng.uniform(1.3, 1.9), rate)
    idle, rev = rng.uniform(18, 40), rng.uniform(0.0, 2.2)
    bump = np.exp(-(((t - t[-1] * rng.uniform(0.4, 0.7)) / 0.45) ** 2))
    speed = idle * (1 + rev * bump) * (1 + 0.03 * slow_random(rng, t.size, rate, 9))
    cycle = np.cumsum(speed) / rate
    cylinders = int(rng.integers(3, 7))
    strength = rng.uniform(0.6, 1.0, cylinders)
    firing = (cycle * cylinders / 2) % 1.0
    which = (cycle * cylinders / 2).astype(int) % cylinders
    pulse = strength[which] * np.exp(-firing * rng.uniform(6, 14)) * (1 - np.exp(-firing * 60))
    pulse *= 1 + 0.12 * rng.standard_normal(t.size)
    wave = np.zeros_like(t)
    for f in rng.uniform([70, 180, 420, 1100], [130, 320, 800, 2200]):
        b, a = signal.iirpeak(f, rng.uniform(2, 5), fs=rate)
        wave += signal.lfilter(b, a, pulse)
    hiss = band(noise(rng, t.size, rate, -3.0), rate, 300, 7000) * (0.15 + 0.5 * pulse)
    return np.asarray(np.tanh(1.2 * wave) + 0.12 * hiss * (1 + bump * rev))


def wind(rng: Rng, rate: int) -> Wave:
    """Gusts: noise whose level and howling resonance wander together."""
    n = round(rng.uniform(1.4, 2.0) * rate)
    gust = np.clip(0.55 + 0.45 * slow_random(rng, n, rate, 1.6), 0.08, None) ** 1.5
    wave = noise(rng, n, rate, -5.5) * gust
    howl = np.zeros(n)
    block = rate // 100
    rush = rng.standard_normal(n)
    centre, state = rng.uniform(280, 650), np.zeros(2)
    for start in range(0, n, block):
        f = centre * (0.6 + 0.9 * gust[start])
        b, a = signal.iirpeak(min(f, 4000.0), 12, fs=rate)
        howl[start : start + block], state = signal.lfilter(
            b, a, rush[start : start + block], zi=state
        )
    return np.asarray(wave + rng.uniform(1.5, 5.0) * howl * gust)


def footsteps(rng: Rng, rate: int) -> Wave:
    """Heel and toe on gravel, wood or stone."""
    ground = int(rng.integers(3))
    n = round(rng.uniform(1.4, 2.0) * rate)
    wave, at, pace = np.zeros(n), 0.06, rng.uniform(0.38, 0.6)
    while at * rate < n:
        for delay, gain in ((0.0, 1.0), (rng.uniform(0.07, 0.12), 0.55)):
            length = 0.2
            thump = modes(
                length,
                rate,
                rng.uniform([60, 120, 260], [90, 180, 420]),
                np.array([1.0, 0.7, 0.4]),
                np.array([0.12, 0.09, 0.05]),
                np.zeros(3),
            )
            grit = band(
                rng.standard_normal(round(length * rate)), rate, (900, 300, 1500)[ground], 9000
            )
            grit *= decay(length, rate, (0.16, 0.05, 0.03)[ground], 0.003)
            if ground == 0:  # gravel: the scrape is made of many small impacts
                grit *= rng.exponential(1.0, grit.size) ** 2
            step = (0.4, 1.0, 0.7)[ground] * thump + (0.5, 0.35, 0.6)[ground] * grit
            mix_at(wave, step, round((at + delay) * rate), gain * rng.uniform(0.7, 1.0))
        at += pace * rng.uniform(0.94, 1.06)
    return reverb(wave, rng, rate, (0.15, 0.5, 0.8)[ground], 0.2)


def water_drops(rng: Rng, rate: int) -> Wave:
    """Drops into a basin: bubbles whose pitch rises while they ring, in a tiled room."""
    n = round(rng.uniform(1.4, 2.0) * rate)
    wave, at = np.zeros(n), rng.uniform(0.03, 0.1)
    while at * rate < n:
        length = rng.uniform(0.05, 0.14)
        t = seconds(length, rate)
        phase = _sweep(rng.uniform(500, 1900) * (1 + rng.uniform(1, 6) * t), rate)
        mix_at(wave, np.sin(phase) * decay(length, rate, length, 0.003), round(at * rate))
        splash = band(rng.standard_normal(t.size), rate, 2500, None) * decay(length, rate, 0.015)
        mix_at(wave, splash, round((at - 0.008) * rate), rng.uniform(0.1, 0.4))
        at += rng.uniform(0.12, 0.5)
    return reverb(wave, rng, rate, rng.uniform(0.5, 1.2), 0.5)


def church_bells(rng: Rng, rate: int) -> Wave:
    """A bronze bell (hum, prime, tierce, quint, nominal and above), struck once or twice."""
    n = round(rng.uniform(1.8, 2.3) * rate)
    wave, prime = np.zeros(n), rng.uniform(220, 520)
    ratios = np.array([0.5, 1.0, 1.003, 1.19, 1.5, 2.0, 2.01, 2.6, 3.0, 4.1, 5.4, 6.8])
    ratios = ratios * rng.uniform(0.995, 1.005, 12)
    gains = np.array([0.6, 1, 0.5, 0.8, 0.4, 1, 0.4, 0.5, 0.4, 0.35, 0.25, 0.2])
    strikes = [0.03] + ([rng.uniform(0.8, 1.3)] if rng.uniform() < 0.6 else [])
    for at in strikes:
        bell = modes(2.8, rate, prime * ratios, gains, 6.0 / ratios, rng.uniform(0, 6.28, 12))
        clang = band(rng.standard_normal(bell.size), rate, 2000, 9000) * decay(2.8, rate, 0.06)
        mix_at(wave, bell + 0.8 * clang, round(at * rate), rng.uniform(0.7, 1.0))
    return reverb(wave, rng, rate, 1.2, 0.2)


def clock_alarm(rng: Rng, rate: int) -> Wave:
    """An electronic beeper in bursts, or a mechanical bell hammered fast."""
    t = seconds(rng.uniform(1.2, 1.6), rate)
    if rng.uniform() < 0.6:
        f, group, beep = rng.uniform(1800, 3200), int(rng.integers(2, 5)), rng.uniform(0.05, 0.08)
        position = (t % (2 * beep * group + 0.22)) / beep
        gate = ((position < 2 * group) & (position % 2 < 1)).astype(np.float64)
        gate = np.asarray(signal.lfilter([0.02], [1, -0.98], gate))
        wave = gate * (np.sin(2 * np.pi * f * t) + 0.4 * signal.square(2 * np.pi * f * t))
        return reverb(band(wave, rate, 800, 9000), rng, rate, 0.3, 0.1)
    wave, period = np.zeros_like(t), rng.uniform(0.04, 0.06)
    shell = rng.uniform(1500, 2300) * np.array([1.0, 1.51, 2.27, 3.1, 4.2])
    for at in np.arange(0.02, t[-1], period):
        ring = modes(
            0.4, rate, shell, np.array([1, 0.8, 0.7, 0.5, 0.3]), np.full(5, 0.35), np.zeros(5)
        )
        mix_at(wave, ring, round((at + rng.normal(0, 0.001)) * rate), rng.uniform(0.7, 1.0))
    return reverb(wave, rng, rate, 0.3, 0.15)


CLASSES: dict[str, tuple[Callable[[Rng, int], Wave], int]] = {
    "siren": (siren, 24000),
    "rain": (rain, 24000),
    "clock_tick": (clock_tick, 44100),
    "door_wood_knock": (door_wood_knock, 24000),
    "engine": (engine, 24000),
    "wind": (wind, 16000),
    "footsteps": (footsteps, 32000),
    "water_drops": (water_drops, 32000),
    "church_bells": (church_bells, 24000),
    "clock_alarm": (clock_alarm, 32000),
}


def clips() -> Iterator[Clip]:
    """All events, the classes in turn, so that any beginning of the list holds every class."""
    for variant in range(VARIANTS):
        for event, (make, rate) in CLASSES.items():
            name = f"events/{event}_{variant}"
            rng = generator(name)
            wave = make(rng, rate)
            yield Clip(
                id=name,
                dataset="mini_events",
                domain="general",
                rate=rate,
                wave=finish(wave, rng, rate, peak_db=rng.uniform(-11, -3)),
                labels={"event": event},
            )
