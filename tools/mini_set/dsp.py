"""Signal blocks shared by the generators: seeds, noise, envelopes, filters, rooms, final level.

Every array is mono float64 ``[T]``; full scale is 1.0.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Wave = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One clip of the set, before it is written.

    Attributes:
        id: path below the set's folder, without extension.
        dataset: ``mini_speech``, ``mini_music`` or ``mini_events``.
        domain: ``speech``, ``music`` or ``general``.
        rate: sample rate in Hz.
        wave: samples ``[T]``, levelled by `finish`.
        labels: the columns of the manifest that apply.
    """

    id: str
    dataset: str
    domain: str
    rate: int
    wave: Wave
    labels: Mapping[str, str] = field(default_factory=dict)


def generator(name: str) -> np.random.Generator:
    """The random generator of one clip: seeded by its name, so that clips are independent."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def seconds(duration_s: float, rate: int) -> Wave:
    """Time axis in seconds, ``round(duration_s * rate)`` samples."""
    return np.arange(round(duration_s * rate)) / rate


def decay(duration_s: float, rate: int, t60_s: float, attack_s: float = 0.002) -> Wave:
    """A linear attack, then an exponential fall by 60 dB in ``t60_s``."""
    t = seconds(duration_s, rate)
    rise = np.minimum(1.0, t / attack_s) if attack_s > 0 else np.ones_like(t)
    return np.asarray(rise * 10 ** (-3.0 * t / t60_s))


def band(wave: Wave, rate: int, low: float | None, high: float | None, order: int = 2) -> Wave:
    """Butterworth high-pass, low-pass or band-pass with the edges given in Hz."""
    top = 0.48 * rate
    high = None if high is None or high >= top else high
    if low is not None and high is not None:
        sos = signal.butter(order, [low, high], "bandpass", fs=rate, output="sos")
    elif low is not None:
        sos = signal.butter(order, low, "highpass", fs=rate, output="sos")
    elif high is not None:
        sos = signal.butter(order, high, "lowpass", fs=rate, output="sos")
    else:
        return wave
    return np.asarray(signal.sosfilt(sos, wave))


def noise(rng: np.random.Generator, n: int, rate: int, slope_db_per_octave: float = 0.0) -> Wave:
    """Gaussian noise of unit RMS whose spectrum falls by the slope (0 white, -3 pink, -6 brown)."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency = np.maximum(np.fft.rfftfreq(n, 1 / rate), 30.0)
    spectrum *= (frequency / 1000.0) ** (slope_db_per_octave / 6.02)
    wave = np.fft.irfft(spectrum, n)
    return np.asarray(wave / np.sqrt(np.mean(wave**2)))


def slow_random(rng: np.random.Generator, n: int, rate: int, speed_hz: float) -> Wave:
    """A smooth random curve within about -1..1 that changes ``speed_hz`` times a second."""
    points = rng.uniform(-1, 1, int(np.ceil(n / rate * speed_hz)) + 4)
    grid = np.arange(n) / rate * speed_hz + 1
    index = grid.astype(int)
    blend = 0.5 - 0.5 * np.cos(np.pi * (grid - index))
    return np.asarray(points[index] * (1 - blend) + points[index + 1] * blend)


def mix_at(target: Wave, part: Wave, start: int, gain: float = 1.0) -> None:
    """Add a part to the target in place, cut at the target's end."""
    stop = min(target.size, start + part.size)
    if stop > start:
        target[start:stop] += gain * part[: stop - start]


def modes(
    duration_s: float, rate: int, frequencies: Wave, gains: Wave, t60s: Wave, phases: Wave
) -> Wave:
    """A struck body: a sum of decaying sines, one for each mode below the Nyquist frequency."""
    t = seconds(duration_s, rate)
    out = np.zeros_like(t)
    for f, gain, t60, phase in zip(frequencies, gains, t60s, phases, strict=True):
        if f < 0.46 * rate:
            out += gain * np.sin(2 * np.pi * f * t + phase) * 10 ** (-3.0 * t / t60)
    return out


def reverb(wave: Wave, rng: np.random.Generator, rate: int, t60_s: float, wet: float) -> Wave:
    """A room: convolution with exponentially decaying noise whose treble dies twice as fast.

    The length stays. ``wet`` is the reverberant energy relative to the direct sound's.
    """
    n = round(t60_s * rate)
    raw = rng.standard_normal(n)
    dull = band(raw, rate, None, 2500.0)
    envelope = decay(n / rate, rate, t60_s, attack_s=0.004)[:n]
    tail = dull * envelope + (raw - dull) * envelope**2
    tail[: round(0.003 * rate)] = 0.0
    tail *= np.sqrt(wet / np.sum(tail**2))
    return np.asarray(wave + signal.fftconvolve(wave, tail)[: wave.size])


def level_db(wave: Wave) -> float:
    """RMS level in dBFS."""
    return float(10 * np.log10(np.mean(wave**2) + 1e-20))


def finish(
    wave: Wave, rng: np.random.Generator, rate: int, *, peak_db: float, floor_db: float = -78.0
) -> Wave:
    """Level a clip: no DC, 5 ms fades, a quiet noise floor (no digital silence), the given peak."""
    sos = signal.butter(2, 25.0, "highpass", fs=rate, output="sos")
    wave = np.asarray(signal.sosfiltfilt(sos, wave))
    edge = round(0.005 * rate)
    fade = 0.5 - 0.5 * np.cos(np.pi * np.arange(edge) / edge)
    wave[:edge] *= fade
    wave[-edge:] *= fade[::-1]
    wave *= 10 ** (peak_db / 20) / np.max(np.abs(wave))
    wave += 10 ** (floor_db / 20) * noise(rng, wave.size, rate, -3.0)
    wave -= wave.mean()
    return np.asarray(wave * 10 ** (peak_db / 20) / np.max(np.abs(wave)))
