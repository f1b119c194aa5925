"""The polyphase resampler against scipy's."""

from __future__ import annotations

import pytest
from metric_signals import noise
from scipy.signal import resample_poly

from sqbench.metrics import polyphase


@pytest.mark.parametrize(
    "rate",
    [8000, 10000, 11025, 12000, 12347, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000],
)
@pytest.mark.parametrize("length", [1, 7, 1001, 20_000])
def test_equals_scipy(rate: int, length: int) -> None:
    samples = noise(length)
    expected = resample_poly(samples, 10_000, rate)
    ours = polyphase.resample(samples, rate, 10_000)
    assert ours.shape == expected.shape
    assert ours == pytest.approx(expected, abs=2e-14)


def test_blocks_do_not_change_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = noise(20_000)
    whole = polyphase.resample(samples, 16_000, 10_000)
    monkeypatch.setattr(polyphase, "_OUTPUTS", 100)
    assert polyphase.resample(samples, 16_000, 10_000) == pytest.approx(whole, abs=1e-14)
