"""STOI against a plain version of the official steps, pystoi, and its edges."""

from __future__ import annotations

import numpy as np
import pytest
from metric_oracles import stoi_by_steps
from metric_signals import damaged, noise, voice

from sqbench.metrics import stoi as module
from sqbench.metrics.base import Samples, Undefined
from sqbench.metrics.protocol import DEFAULT, STRICT, prepare
from sqbench.metrics.stoi import STOI, stoi


def measure(
    reference: Samples,
    estimate: Samples,
    rate: int = 16000,
    estimate_rate: int | None = None,
    protocol: str = DEFAULT,
) -> float:
    return STOI().measure(prepare(reference, rate, estimate, estimate_rate or rate, protocol))


@pytest.mark.parametrize("rate", [8000, 10000, 16000, 22050, 48000])
def test_equals_the_plain_steps(rate: int) -> None:
    clean = voice(1.5, rate)
    for estimate in (damaged(clean), clean + 0.1 * noise(clean.shape[0])):
        assert stoi(clean, estimate, rate) == pytest.approx(
            stoi_by_steps(clean, estimate, rate), abs=1e-12
        )


@pytest.mark.parametrize("seconds", [1.0, 1.0127, 1.0129])
def test_equals_the_plain_steps_at_any_length(seconds: float) -> None:
    clean = voice(seconds, 10000)
    estimate = damaged(clean)
    assert stoi(clean, estimate, 10000) == pytest.approx(
        stoi_by_steps(clean, estimate, 10000), abs=1e-12
    )


def test_the_mask_wraps_to_the_last_sample() -> None:
    """A click in the last sample lifts the first frame, and only there, above the mask."""
    clean = voice(1.5, 10000)
    clean[:400] = 1e-9 * noise(400)
    clicked = clean.copy()
    clicked[-1] = 40.0 * np.abs(clean).max()
    estimate = damaged(clean)
    assert stoi(clicked, estimate, 10000) == pytest.approx(
        stoi_by_steps(clicked, estimate, 10000), abs=1e-12
    )


def test_close_to_pystoi() -> None:
    pystoi = pytest.importorskip("pystoi")
    clean = voice(3.0)
    estimate = clean + 0.05 * noise(clean.shape[0])
    ours, theirs = measure(clean, estimate), pystoi.stoi(clean, estimate, 16000)
    assert ours == pytest.approx(theirs, abs=3e-3)
    assert ours != theirs


def test_order_of_damage() -> None:
    clean = voice(3.0)
    values = [measure(clean, clean + g * noise(clean.shape[0])) for g in (0.0, 0.02, 0.2, 2.0)]
    assert values[0] == pytest.approx(1.0, abs=1e-12)
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.5


def test_gain_does_not_matter() -> None:
    clean = voice(2.0)
    assert measure(clean, 3 * damaged(clean)) == pytest.approx(measure(clean, damaged(clean)))


def test_other_rates_have_a_value_but_in_strict() -> None:
    clean = voice(2.0, 48000)
    estimate = voice(2.0, 16000)
    assert measure(clean, estimate, 48000, 16000) > 0.5
    with pytest.raises(Undefined, match=r"NameError.*16000 and 48000 Hz"):
        measure(clean, estimate, 48000, 16000, STRICT)


@pytest.mark.parametrize("length", [1, 100, 256])
def test_less_than_a_frame(length: int) -> None:
    with pytest.raises(Undefined, match="ValueError"):
        measure(noise(length), noise(length, 1), 10000)


def test_less_than_a_segment() -> None:
    """31 kept frames give 30 analysed ones: the fewest that a segment needs."""
    enough = 128 * 30 + 257
    assert np.isfinite(stoi(noise(enough), noise(enough, 1), 10000))
    with pytest.raises(Undefined, match=r"29 frames are left.*official: NaN"):
        stoi(noise(enough - 1), noise(enough - 1, 1), 10000)


def test_silent_reference() -> None:
    with pytest.raises(Undefined, match="UnboundLocalError"):
        measure(np.zeros(16000), noise(16000))


def test_silent_estimate() -> None:
    with pytest.raises(Undefined, match="exactly zero"):
        measure(voice(2.0), np.zeros(32000))


def test_hole_in_the_estimate() -> None:
    estimate = voice(3.0)
    estimate[8000:24000] = 0.0
    with pytest.raises(Undefined, match="exactly zero"):
        measure(voice(3.0) + 0.001 * noise(48000), estimate)


def test_blocks_do_not_change_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    clean = voice(2.0)
    whole = measure(clean, damaged(clean))
    monkeypatch.setattr(module, "_BLOCK", 7)
    assert measure(clean, damaged(clean)) == pytest.approx(whole, abs=1e-12)
