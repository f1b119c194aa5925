"""Pitch of signals whose pitch is known."""

from __future__ import annotations

import numpy as np
import pytest
from metric_signals import noise, voice

from sqbench.metrics import catalogue
from sqbench.metrics.base import Samples, Undefined
from sqbench.metrics.protocol import prepare

pytest.importorskip("parselmouth", reason="pip install 'sqbench[f0]'")


def tone(hz: float, sway: float = 0.0, seconds: float = 1.0) -> Samples:
    """Ten harmonics of a pitch that sways by ``sway`` Hz twice a second."""
    t = np.arange(int(seconds * 16_000)) / 16_000
    phase = 2 * np.pi * hz * t + sway / 2 * np.sin(2 * np.pi * 2 * t)
    return np.asarray(0.05 * sum(np.sin(k * phase) for k in range(1, 11)))


def measure(name: str, reference: Samples, estimate: Samples) -> float:
    return catalogue.get(name).measure(prepare(reference, 16_000, estimate, 16_000))


def test_a_known_difference() -> None:
    assert measure("f0-rmse", tone(120), tone(126)) == pytest.approx(6.0, abs=0.01)
    assert measure("f0-rmse", tone(120), tone(120)) == 0.0


def test_correlation() -> None:
    assert measure("f0-corr", tone(150, 20), tone(190, 20)) == pytest.approx(1.0, abs=0.01)
    assert measure("f0-corr", tone(150, 20), tone(150, -20)) == pytest.approx(-1.0, abs=0.01)


@pytest.mark.parametrize("name", ["f0-corr", "f0-rmse"])
@pytest.mark.parametrize(
    ("reference", "estimate", "reason"),
    [
        (tone(120), np.zeros(16_000), "the estimate is silent"),
        (tone(120), 0.1 * noise(16_000), "0 frames are voiced on both sides"),
        (tone(120)[:320], tone(120)[:320], "too short"),
        (voice(1.0)[:2400], voice(1.0)[:2400], "20 are needed"),
    ],
)
def test_no_value(name: str, reference: Samples, estimate: Samples, reason: str) -> None:
    with pytest.raises(Undefined, match=reason):
        measure(name, reference, estimate)


def test_a_constant_contour_has_no_correlation() -> None:
    with pytest.raises(Undefined, match="constant"):
        measure("f0-corr", np.tile(tone(100, seconds=0.01), 100), tone(120, 20))
