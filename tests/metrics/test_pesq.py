"""PESQ: what the engine is told, what it declines, and that its crash stays outside."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from metric_signals import damaged, noise, voice

from sqbench import audio
from sqbench.metrics import pesq as module
from sqbench.metrics.base import Samples, Undefined
from sqbench.metrics.measure import measure_pair
from sqbench.metrics.pesq import PESQ, ResampledPESQ
from sqbench.metrics.protocol import prepare


def measure(
    reference: Samples, estimate: Samples, rate: int = 16000, metric: type[PESQ] = PESQ
) -> float:
    return metric().measure(prepare(reference, rate, estimate, rate))


def engine(reference: Samples, estimate: Samples) -> float:
    from pesq import pesq

    return float(pesq(16000, reference, estimate, mode="wb"))


def test_equals_the_package() -> None:
    clean = voice(3.0)
    assert measure(clean, damaged(clean)) == engine(clean, damaged(clean))


def test_equal_signals_reach_the_top() -> None:
    assert measure(voice(2.0), voice(2.0)) == pytest.approx(4.644, abs=1e-3)


def test_a_common_gain_does_not_matter_and_samples_may_pass_full_scale() -> None:
    clean = voice(2.0)
    value = measure(clean, damaged(clean))
    assert measure(100 * clean, 100 * damaged(clean)) == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize("rate", [8000, 48000])
def test_the_engine_is_told_16_khz_whatever_the_rate(rate: int) -> None:
    clean = voice(3.0, rate)
    assert measure(clean, damaged(clean), rate) == measure(clean, damaged(clean), 16000)


def test_the_resampled_variant_is_told_the_truth() -> None:
    clean = voice(3.0, 24000)
    bad = damaged(clean)
    expected = engine(*(audio.resample(x, 24000, 16000) for x in (clean, bad)))
    assert measure(clean, bad, 24000, ResampledPESQ) == expected
    assert measure(clean, bad, 24000) != expected


def test_at_16_khz_the_variants_agree() -> None:
    clean = voice(2.0)
    assert measure(clean, damaged(clean), 16000, ResampledPESQ) == measure(clean, damaged(clean))


def test_the_shortest_clip() -> None:
    clean = voice(1.0)[:4000]
    assert measure(clean, damaged(clean)) > 1
    with pytest.raises(Undefined, match=r"1/4 of a second.*BufferTooShortError"):
        measure(clean[:3999], damaged(clean)[:3999])


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [(1, 0, "ValueError"), (0, 1, "NoUtterancesError"), (0, 0, "NoUtterancesError")],
    ids=["estimate", "reference", "both"],
)
def test_silence(first: int, second: int, reason: str) -> None:
    with pytest.raises(Undefined, match=reason):
        measure(first * voice(2.0), second * voice(2.0))


def bursts(seconds: float) -> Samples:
    """Utterances of 0.3 s with pauses of 0.3 s."""
    t = np.arange(int(seconds * 16000)) / 16000
    return np.asarray(0.1 * noise(t.shape[0]) * (np.mod(t, 0.6) < 0.3))


def test_a_crash_of_the_engine_costs_one_value() -> None:
    """With 100 utterances the engine writes past its arrays and dies of it."""
    clean = bursts(60.0)
    with pytest.raises(Undefined, match=r"crashed \(SIG\w+\).*50 utterances"):
        measure(clean, clean + 0.003 * noise(clean.shape[0], 1))


def test_a_long_clip_is_measured_apart_with_the_same_value() -> None:
    clean = np.tile(voice(2.0), 11)
    assert clean.shape[0] > module.SAFE_S * 16_000
    bad = clean + 0.01 * noise(clean.shape[0])
    assert measure(clean, bad) == engine(clean, bad)


def test_an_error_of_a_long_clip_has_the_engines_reason() -> None:
    with pytest.raises(Undefined, match=r"No utterances detected \(official: NoUtterancesError\)"):
        measure(np.zeros(module.SAFE_S * 16_000 + 1), noise(module.SAFE_S * 16_000 + 1))


def test_a_very_long_clip_is_declined() -> None:
    long = np.zeros(module.MOST_S * 16_000 + 1)
    with pytest.raises(Undefined, match="600 s"):
        measure(long, long)


@pytest.mark.parametrize("length", [2.0, 21.0], ids=["inside", "apart"])
def test_want_of_memory_is_a_failure_not_a_property_of_the_pair(
    length: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed score is tried again, an undefined one never."""
    (tmp_path / "pesq.py").write_text("def pesq(*_):\n    raise MemoryError('no room')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pesq", raising=False)
    clean = voice(length)
    (found,) = measure_pair(clean, 16000, damaged(clean), 16000, ["pesq"])
    assert found.status == "failed"
    assert "MemoryError: no room" in (found.reason or "")


def test_a_hanging_engine_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pesq.py").write_text("import time\npesq = lambda *_: time.sleep(600)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(module, "CHILD_TIMEOUT_S", 2.0)
    clean = voice(21.0)
    (found,) = measure_pair(clean, 16000, clean, 16000, ["pesq"])
    assert (found.status, found.reason) == (
        "failed",
        "RuntimeError: the PESQ process gave no result in 2 s",
    )


def test_a_killed_engine_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel kills where memory runs out; the engine's own crashes are other signals."""
    kill = "import os\npesq = lambda *_: os.kill(os.getpid(), 9)\n"
    (tmp_path / "pesq.py").write_text(kill)
    monkeypatch.syspath_prepend(str(tmp_path))
    clean = voice(21.0)
    (found,) = measure_pair(clean, 16000, clean, 16000, ["pesq"])
    assert found.status == "failed"
    assert "was killed" in (found.reason or "")
