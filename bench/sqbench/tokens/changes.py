"""What is done to audio to see whether its tokens stay: everyday changes that listeners forgive."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sqbench import audio

Samples = NDArray[np.float32]
BAND_HZ = 3400.0
OTHER_RATES = (44100, 48000)


def noise(samples: Samples, snr_db: float, seed: int) -> Samples:
    """White Gaussian noise so far below the clip's own power."""
    drawn = np.random.default_rng(seed).standard_normal(len(samples))
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return np.asarray(samples + np.sqrt(power * 10 ** (-snr_db / 10)) * drawn, np.float32)


def gain(samples: Samples, db: float) -> Samples:
    """Another level."""
    return (samples * 10 ** (db / 20)).astype(np.float32)


def band(samples: Samples, rate: int) -> Samples:
    """A telephone's upper edge, without delay: Butterworth of order 8, forth and back."""
    from scipy import signal

    sections = signal.butter(8, min(BAND_HZ, 0.45 * rate), fs=rate, output="sos")
    padding = min(3 * (2 * len(sections) + 1), len(samples) - 1)
    return np.asarray(signal.sosfiltfilt(sections, samples, padlen=max(0, padding)), np.float32)


def resampled(samples: Samples, rate: int) -> Samples:
    """To 44.1 kHz and back (to 48 kHz, for what is of that rate)."""
    there = next(other for other in OTHER_RATES if other != rate)
    forth = audio.resample(samples.astype(np.float64), rate, there)
    back = audio.resample(forth, there, rate)[: len(samples)]
    return np.pad(back, (0, len(samples) - len(back))).astype(np.float32)


CHANGES: dict[str, Callable[[Samples, int, int], Samples]] = {
    "noise 40 dB": lambda x, rate, seed: noise(x, 40, seed),
    "noise 20 dB": lambda x, rate, seed: noise(x, 20, seed),
    "gain -6 dB": lambda x, rate, seed: gain(x, -6),
    "band 3.4 kHz": lambda x, rate, seed: band(x, rate),
    "resampled": lambda x, rate, seed: resampled(x, rate),
}
"""By name: samples ``[T]``, their rate, a seed of the clip."""
