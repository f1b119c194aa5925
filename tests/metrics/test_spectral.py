"""DAC's distances by their definition, in double precision, and by analysis."""

from __future__ import annotations

import numpy as np
import pytest
from metric_signals import damaged, noise, voice

from sqbench.metrics import catalogue
from sqbench.metrics.base import Samples, Undefined
from sqbench.metrics.mel import filterbank
from sqbench.metrics.protocol import prepare


def measure(name: str, reference: Samples, estimate: Samples) -> float:
    return catalogue.get(name).measure(prepare(reference, 16_000, estimate, 16_000))


def magnitudes(samples: Samples, window: int) -> Samples:
    padded = np.pad(samples, window // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[:: window // 4]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    return np.asarray(np.abs(np.fft.rfft(frames * hann, axis=1)))


def test_by_the_definition() -> None:
    clean = voice(1.0) + 0.01 * noise(16_000)
    other = damaged(clean)
    stft = mel = 0.0
    for window in (2048, 512):
        a, b = magnitudes(clean, window), magnitudes(other, window)
        logs = [np.log10(np.maximum(x, 1e-5) ** 2) for x in (a, b)]
        stft += np.abs(logs[0] - logs[1]).mean() + np.abs(a - b).mean()
    for window, bands in zip((32 << np.arange(7)), (5 << np.arange(7)), strict=True):
        filters = filterbank(16_000, int(window), int(bands)).T
        a, b = magnitudes(clean, int(window)) @ filters, magnitudes(other, int(window)) @ filters
        mel += np.abs(np.log10(np.maximum(a, 1e-5)) - np.log10(np.maximum(b, 1e-5))).mean()
    # Single precision, as the original: bins that hold nothing hold its rounding.
    assert measure("stft-distance", clean, other) == pytest.approx(stft, abs=1e-3)
    assert measure("mel-distance", clean, other) == pytest.approx(mel, abs=1e-4)


def test_half_the_level() -> None:
    """Every logarithm differs by that of two; the windows are seven."""
    clean = noise(16_000)
    assert measure("mel-distance", clean, clean / 2) == pytest.approx(7 * np.log10(2), rel=1e-4)
    assert measure("mel-distance", clean, clean) == 0.0
    assert measure("stft-distance", clean, clean) == 0.0


@pytest.mark.parametrize("name", ["mel-distance", "stft-distance"])
def test_short_clips(name: str) -> None:
    with pytest.raises(Undefined, match="too few for a window"):
        measure(name, noise(320), noise(320))


def test_silence_is_a_spectrum() -> None:
    """A distance from silence is one: nothing is invented."""
    assert measure("mel-distance", noise(8_000), np.zeros(8_000)) > 10
