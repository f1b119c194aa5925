"""Suites: which metrics run, and what is said of those that cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from sqbench import suites
from sqbench.api import run
from sqbench.data.mini import MiniSource
from sqbench.engine.monitor import Quiet
from sqbench.engine.options import Options
from sqbench.errors import InputError
from sqbench.metrics import catalogue
from sqbench.metrics.catalogue import MetricEntry
from sqbench.store import reader
from sqbench_codecs.extras import pip_line


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without any extra."""
    own = {"pesq-nb", "stft-distance", "mel-distance", "si-sdr-aligned", "delay", "gain"}

    def missing(entry: MetricEntry) -> list[str]:
        return [] if entry.name in own or not entry.modules else list(entry.modules)

    monkeypatch.setattr(MetricEntry, "missing", missing)
    monkeypatch.setattr(catalogue, "_loaded", {})


@pytest.mark.usefixtures("bare")
def test_what_is_not_installed_is_left_out_and_said() -> None:
    assert list(suites.metrics_of("perceptual", None)) == [
        "pesq-nb", "stft-distance", "mel-distance", "si-sdr-aligned", "delay", "gain",
    ]  # fmt: skip
    lines = suites.what_is_left_out("perceptual")
    assert f"not here: visqol, visqol-speech; for them: {pip_line('visqol')}" in lines
    assert f"not here: f0-corr, f0-rmse; for them: {pip_line('f0')}" in lines
    assert suites.what_is_left_out("all") == []


@pytest.mark.usefixtures("bare")
def test_asked_for_by_name_it_is_an_error() -> None:
    with pytest.raises(InputError, match=r"package visqol.*pip install .*visqol-python"):
        suites.metrics_of("signal", ["visqol"])


def test_weights_that_would_be_fetched_are_not_in_the_suite(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(MetricEntry, "missing", lambda entry: [])
    monkeypatch.setattr("sqbench.metrics.perceptual.weights.cached_files", lambda *_: None)
    assert suites.left_out("perceptual")["utmos"].startswith("hf download Blinorot/UTMOS-PyTorch")


def test_all_is_signal_and_application() -> None:
    assert suites.SUITES["all"] == suites.SUITES["signal"] == catalogue.SIGNAL


@pytest.mark.usefixtures("bare")
def test_a_run_of_the_suite(tmp_path: Path) -> None:
    said = []

    class Monitor(Quiet):
        def note(self, text: str) -> None:
            said.append(text)

    options = Options(suite="perceptual", limit=1, workers=1)
    run(["resample-8k"], MiniSource(), tmp_path, options, Monitor())
    assert any(f"{pip_line('mos')}" in text for text in said)
    records = reader.load(tmp_path).records
    scores = [record for record in records if record["kind"] == "score"]
    assert len(scores) == 16  # six of speech, five of each of two sets of audio
    better = {record["metric"]: record["direction"] for record in scores}
    assert better["delay"] is None
    assert better["gain"] is None
    assert better["stft-distance"] == "lower"
