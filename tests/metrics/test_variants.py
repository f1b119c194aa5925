"""The variants, against their packages and by analysis."""

from __future__ import annotations

import numpy as np
import pytest
from metric_oracles import sdr_by_mir_eval
from metric_signals import damaged, noise, voice

from sqbench.metrics import catalogue
from sqbench.metrics.base import Samples, Undefined
from sqbench.metrics.protocol import STRICT, prepare


def measure(name: str, reference: Samples, estimate: Samples, protocol: str = "slt2024") -> float:
    return catalogue.get(name).measure(prepare(reference, 16000, estimate, 16000, protocol))


def test_si_sdr_of_a_known_noise_level() -> None:
    clean = noise(16_000)
    error = noise(16_000, 1)
    clean -= clean.mean()
    error -= error.mean()
    error -= (error @ clean) / (clean @ clean) * clean
    error *= 0.1 * np.linalg.norm(clean) / np.linalg.norm(error)
    assert measure("si-sdr", clean, clean + error) == pytest.approx(20.0, abs=1e-9)
    assert measure("si-sdr", clean, -5 * (clean + error) + 1) == pytest.approx(20.0, abs=1e-9)


def test_si_sdr_has_no_filter() -> None:
    clean = noise(16_000)
    late = np.concatenate([[0.0], clean[:-1]])
    assert measure("si-sdr", clean, late) < 0 < 30 < measure("sdr", clean, late)


@pytest.mark.parametrize("name", ["si-sdr", "sdr-mir_eval"])
def test_identical(name: str) -> None:
    clean = voice(1.0)
    with pytest.raises(Undefined, match=r"^identical") as caught:
        measure(name, clean, clean)
    assert caught.value.identical


@pytest.mark.parametrize("name", ["si-sdr", "sdr-mir_eval", "stoi-pystoi", "estoi"])
@pytest.mark.parametrize("side", ["reference", "estimate"])
def test_silence(name: str, side: str) -> None:
    clean = voice(1.0)
    pair = (0 * clean, clean) if side == "reference" else (clean, 0 * clean)
    with pytest.raises(Undefined, match=f"the {side} is silent"):
        measure(name, *pair)


def test_si_sdr_of_a_constant() -> None:
    with pytest.raises(Undefined, match="silent or constant"):
        measure("si-sdr", np.full(100, 0.3), noise(100))


def test_sdr_by_mir_eval_says_nothing(recwarn: pytest.WarningsRecorder) -> None:
    clean = voice(1.0)
    assert measure("sdr-mir_eval", clean, damaged(clean)) == sdr_by_mir_eval(clean, damaged(clean))
    assert not recwarn.list


def test_sdr_by_mir_eval_in_strict_returns_the_number() -> None:
    assert measure("sdr-mir_eval", voice(1.0), voice(1.0), STRICT) > 100


@pytest.mark.parametrize(("name", "extended"), [("stoi-pystoi", False), ("estoi", True)])
def test_pystoi(name: str, extended: bool) -> None:
    import pystoi

    clean = voice(2.0)
    expected = pystoi.stoi(clean, damaged(clean), 16000, extended=extended)
    value = measure(name, clean, damaged(clean))
    assert value == pytest.approx(expected, abs=1e-12)
    assert measure(name, clean, damaged(clean)) == value


@pytest.mark.parametrize("name", ["stoi-pystoi", "estoi"])
@pytest.mark.parametrize("length", [10, 300, 500, 3200])
def test_pystoi_of_short_clips_has_no_value(name: str, length: int) -> None:
    with pytest.raises(Undefined, match=r"too short|fewer than 30 frames"):
        measure(name, voice(1.0)[2000 : 2000 + length], noise(length))
