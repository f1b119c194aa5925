"""Signals for the tests of metrics: fixed by arithmetic alone, the same on every machine."""

from __future__ import annotations

import numpy as np

from sqbench.metrics.base import Samples


def noise(length: int, seed: int = 0) -> Samples:
    """Standard normal samples."""
    return np.random.default_rng(seed).standard_normal(length)


def voice(seconds: float = 3.0, rate: int = 16_000) -> Samples:
    """A buzz with moving pitch and formants in syllables with pauses: PESQ takes it for speech."""
    t = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * (120 * t + 4 * np.sin(2 * np.pi * 0.7 * t))
    out = np.zeros_like(t)
    for k in range(1, 30):
        f = 120.0 * k
        if f > 0.45 * rate:
            break
        first, second = 550 + 250 * np.sin(2 * np.pi * 1.3 * t), 1600 + 500 * np.cos(5.0 * t)
        gain = 1 / (1 + ((f - first) / 150) ** 2) + 0.5 / (1 + ((f - second) / 250) ** 2)
        out += gain * np.sin(k * phase + k * k)
    syllables = np.clip(np.sin(2 * np.pi * 2.2 * t) + 0.6, 0, None)
    pauses = (np.mod(t, 1.7) < 1.35).astype(float)
    return np.asarray(0.08 * out * syllables * pauses + 1e-5 * np.sin(77 * t))


def damaged(clean: Samples) -> Samples:
    """``clean`` through a short filter, a soft clipper and a coarse quantiser."""
    low = 0.6 * clean + 0.3 * np.roll(clean, 1) + 0.1 * np.roll(clean, 2)
    return np.asarray(np.round(np.tanh(2 * low) / 2 * 96) / 96)
