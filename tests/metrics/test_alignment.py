"""Delays that are known."""

from __future__ import annotations

import numpy as np
import pytest
from metric_signals import damaged, noise, voice

from sqbench.metrics import catalogue
from sqbench.metrics.base import Samples, Undefined
from sqbench.metrics.protocol import prepare


def measure(name: str, reference: Samples, estimate: Samples) -> float:
    return catalogue.get(name).measure(prepare(reference, 16_000, estimate, 16_000))


def moved(samples: Samples, late: int) -> Samples:
    zeros = np.zeros(abs(late))
    if late >= 0:
        return np.concatenate([zeros, samples])[: samples.shape[0]]
    return np.concatenate([samples[-late:], zeros])


@pytest.mark.parametrize("late", [0, 8, -8, 3999, -2500])
@pytest.mark.parametrize("gain", [1.0, -0.3])
def test_a_known_delay(late: int, gain: float) -> None:
    assert measure("delay", voice(2.0), gain * moved(damaged(voice(2.0)), late)) == late


@pytest.mark.parametrize("late", [0, 800])
@pytest.mark.parametrize("factor", [0.25, -1.0, 2.0])
def test_a_known_gain(late: int, factor: float) -> None:
    clean = noise(32_000)
    found = measure("gain", clean, factor * np.roll(clean, late) + 0.01)
    assert found == pytest.approx(20 * np.log10(abs(factor)), abs=1e-9)


@pytest.mark.parametrize("side", [0, 1])
def test_silence_has_no_gain(side: int) -> None:
    pair = [noise(16_000), np.full(16_000, 0.1)]
    with pytest.raises(Undefined, match="silent"):
        measure("gain", pair[side], pair[1 - side])


def test_eight_samples_cost_si_sdr_and_are_given_back() -> None:
    clean = voice(2.0)
    late = moved(clean + 0.001 * noise(clean.shape[0]), 8)
    straight = measure("si-sdr", clean[:-8], late[8:])
    assert measure("si-sdr", clean, late) < straight - 10
    assert measure("si-sdr-aligned", clean, late) == pytest.approx(straight, abs=1e-9)


def test_what_is_unlike_has_no_delay() -> None:
    with pytest.raises(Undefined, match=r"correlate by 0\.\d\d at most"):
        measure("delay", noise(16_000), noise(16_000, 1))
    assert measure("si-sdr-aligned", noise(16_000), noise(16_000, 1)) < -20


def test_beyond_reach_is_not_looked() -> None:
    clean = noise(32_000)
    with pytest.raises(Undefined, match="correlate"):
        measure("delay", clean, moved(clean, 4_500))


def test_identical() -> None:
    with pytest.raises(Undefined, match="identical") as caught:
        measure("si-sdr-aligned", voice(1.0), voice(1.0))
    assert caught.value.identical


@pytest.mark.parametrize("name", ["delay", "si-sdr-aligned"])
@pytest.mark.parametrize(
    ("estimate", "reason"), [(np.zeros(16_000), "silent"), (noise(320), "shorter than")]
)
def test_no_value(name: str, estimate: Samples, reason: str) -> None:
    with pytest.raises(Undefined, match=reason):
        measure(name, voice(1.0), estimate)
