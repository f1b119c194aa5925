"""Opinions without a reference: equal to their packages, and no number where there is none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from metric_signals import damaged, noise, voice

from sqbench import audio
from sqbench.errors import InputError
from sqbench.metrics import catalogue
from sqbench.metrics.base import Pair, Samples, Undefined
from sqbench.metrics.perceptual import dnsmos, utmos
from sqbench.metrics.perceptual.weights import HubFiles
from sqbench.metrics.protocol import prepare

DNSMOS = {"dnsmos-sig": "sig_mos", "dnsmos-bak": "bak_mos", "dnsmos-ovrl": "ovrl_mos",
          "dnsmos-p808": "p808_mos"}  # fmt: skip
ALL = (*DNSMOS, "distillmos", "utmos")
needs_speechmos = pytest.mark.skipif(
    bool(catalogue.METRICS.get("dnsmos-sig").missing()), reason="pip install 'sqbench[mos]'"
)


def pair(estimate: Samples, rate: int = 16_000) -> Pair:
    return prepare(estimate, rate, estimate, rate)


def built(name: str) -> Callable[[Pair], float]:
    """The metric, whether its weights are there or not: guards come first."""
    return catalogue.METRICS.get(name).load().measure


@needs_speechmos
@pytest.mark.parametrize("seconds", [2.5, 11.4])
def test_dnsmos_as_the_package(seconds: float) -> None:
    package = pytest.importorskip("speechmos.dnsmos", reason="needs librosa")
    clip = damaged(np.tile(voice(3.0), 4)[: int(seconds * 16_000)])
    expected = package.run(clip, 16_000)
    for name, field in DNSMOS.items():
        assert built(name)(pair(clip)) == pytest.approx(float(expected[field]), abs=2e-6)


@needs_speechmos
def test_dnsmos_opens_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    seen = []

    def session(model: bytes, options: onnxruntime.SessionOptions, providers: list[str]) -> None:
        seen.append((options.intra_op_num_threads, options.inter_op_num_threads, providers))

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    dnsmos._session.__wrapped__(dnsmos.P808)
    assert seen == [(1, 1, ["CPUExecutionProvider"])]


def test_windows_are_a_second_apart_and_full() -> None:
    second = [len(each) for each in dnsmos.windows(np.ones(16_000))]
    assert second == [dnsmos.WINDOW] * 7  # doubled to 16 s, as the package does
    long = np.arange(12.5 * 16_000)
    starts = [int(each[0]) for each in dnsmos.windows(long)]
    assert starts == [0, 16_000, 32_000]


def test_distillmos_as_the_package() -> None:
    package = pytest.importorskip("distillmos", reason="pip install 'sqbench[mos]'")
    import torch

    clip = damaged(voice(2.5))
    network = package.ConvTransformerSQAModel().eval()
    with torch.no_grad():
        expected = float(network(torch.from_numpy(clip).float()[None]))
    assert built("distillmos")(pair(clip)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("estimate", "reason"),
    [
        (np.zeros(32_000), "the estimate is silent"),
        (np.full(32_000, 0.2), "the estimate is silent"),
        (1e-5 * noise(32_000) / 5, "the estimate is silent"),
        (0.1 * noise(320), "too short"),
        (0.1 * noise(15_999), "too short"),
        (2.0 * np.sin(np.arange(32_000) / 9.0), "beyond full scale"),
    ],
    ids=["zeros", "constant", "below a step", "20 ms", "under a second", "over full scale"],
)
def test_no_opinion_of_what_is_no_speech(name: str, estimate: Samples, reason: str) -> None:
    with pytest.raises(Undefined, match=reason):
        built(name)(pair(estimate))


@needs_speechmos
def test_peaks_that_resampling_adds_are_no_fault() -> None:
    """A clipped clip at 48 kHz rings above 1 at 16 kHz: it has a value all the same."""
    clip = np.clip(audio.resample(30 * voice(1.5), 16_000, 48_000), -1, 1)
    assert np.abs(audio.resample(clip, 48_000, 16_000)).max() > 1
    assert 1 <= built("dnsmos-p808")(pair(clip, 48_000)) <= 5


def test_utmos_without_its_weights_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    files = HubFiles("nobody/has-this", ("a.pt",))
    assert not files.at_hand()
    with pytest.raises(InputError, match=r"hf download nobody/has-this a\.pt"):
        files.locate()


@pytest.mark.slow
def test_utmos_runs_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = pytest.importorskip("utmos_pytorch.utmos_torch", reason="pip install 'sqbench[mos]'")
    import torch

    torch.manual_seed(0)
    weights = tmp_path / "utmos_state_dict.pt"
    torch.save(package.UTMOSModel().state_dict(), weights)
    files = HubFiles("any/name", (weights.name,), folder=tmp_path)
    monkeypatch.setattr(utmos.UTMOS, "weights", files)
    clip = damaged(voice(1.5))
    network = package.UTMOSScoreTorch(ckpt_path=str(weights))
    expected = float(network.score(torch.from_numpy(clip).float()[None])[0])
    metric = utmos.UTMOS()
    assert metric.measure(pair(clip)) == pytest.approx(expected, abs=1e-6)
    assert files.sha256 in metric.identity


def test_metrics_that_need_no_torch_do_not_import_it() -> None:
    """Nor librosa, nor a compiler: workers of all metrics but four stay small."""
    light = [
        name
        for name in (*catalogue.SIGNAL, *catalogue.PERCEPTUAL)
        if name not in ("distillmos", "utmos")
        and catalogue.METRICS.get(name).readiness() == "ready"
    ]
    code = f"""
import sys
import numpy as np
from metric_signals import damaged, voice
from sqbench.metrics.measure import measure_pair
clean = voice(1.5)
for one in measure_pair(clean, 16000, damaged(clean), 16000, {light!r}):
    assert one.status in ("ok", "undefined"), one
print(sorted({{"torch", "librosa", "numba", "visqol", "transformers"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env=_environment(),
    )  # fmt: skip
    assert done.stdout.strip().splitlines()[-1] == "[]"


def _environment() -> dict[str, str]:
    import os

    here = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([here, *filter(None, sys.path)])}
