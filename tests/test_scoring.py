"""Scores of arrays and of folders."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from metric_signals import damaged, noise, voice

from sqbench import audio
from sqbench.metrics import catalogue
from sqbench.metrics.measure import Measurement, measure_pair
from sqbench.scoring import measure_files, score, score_folders
from sqcodec.errors import InputError

FIXED = {"sdr": 26.803066, "mel": 2.200626, "stoi": 0.976845, "pesq": 1.754085}
"""Of `voice` and `damaged`, 3 s: by mir_eval, librosa, the plain STOI and the engine."""


def test_score_gives_a_measurement_per_metric() -> None:
    clean = voice(3.0)
    scores = score(clean, damaged(clean), 16000)
    assert list(scores) == ["sdr", "mel", "stoi", "pesq"]
    for name, tolerance in (("sdr", 1e-4), ("mel", 1e-5), ("stoi", 1e-6), ("pesq", 1e-3)):
        assert scores[name].status == "ok"
        assert scores[name].reason is None
        assert scores[name].value == pytest.approx(FIXED[name], abs=tolerance)


def test_score_of_another_rate_and_protocol() -> None:
    clean, low = voice(2.0, 48000), voice(2.0, 16000)
    default = score(clean, low, 48000, ["stoi"], estimate_rate=16000)
    strict = score(clean, low, 48000, ["stoi"], estimate_rate=16000, protocol="slt2024-strict")
    assert default["stoi"].status == "ok"
    assert strict["stoi"].status == "undefined"
    assert math.isnan(strict["stoi"].value)


def test_identical() -> None:
    scores = score(voice(1.0), voice(1.0), 16000, ["sdr", "mel"])
    assert scores["sdr"].status == "identical"
    assert math.isnan(scores["sdr"].value)
    assert scores["mel"] == Measurement(0.0, "ok")


@pytest.mark.parametrize(
    ("estimate", "statuses"),
    [
        (np.zeros(16000), ["undefined", "ok", "undefined", "undefined"]),
        (noise(320), ["ok", "undefined", "undefined", "undefined"]),
        (np.full(16000, np.nan), ["undefined"] * 4),
        (np.zeros(0), ["undefined"] * 4),
        (noise(9000), ["ok"] * 4),
    ],
    ids=["silence", "20-ms", "nan", "empty", "other-length"],
)
def test_what_has_no_value_says_why(estimate: np.ndarray, statuses: list[str]) -> None:
    measured = list(score(voice(1.0), estimate, 16000).values())
    assert [one.status for one in measured] == statuses
    for one in measured:
        assert (one.status == "ok") == (one.reason is None) == math.isfinite(one.value)


def test_a_metric_that_breaks_does_not_stop_the_others(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text(
        "from sqbench.metrics.base import Metric\n"
        "class Broken(Metric):\n"
        "    name, version, direction, bounds = 'broken', 1, 'lower', (None, None)\n"
        "    def measure(self, pair):\n"
        "        return 1 / 0\n"
        "class Endless(Broken):\n"
        "    name = 'endless'\n"
        "    def measure(self, pair):\n"
        "        return float('inf')\n"
    )
    names = [f"{path}:Broken", f"{path}:Endless", "mel"]
    broken, endless, mel = measure_pair(voice(1.0), 16000, voice(1.0), 16000, names)
    assert (broken.status, broken.reason) == ("failed", "ZeroDivisionError: division by zero")
    assert (endless.status, endless.reason) == ("undefined", "endless gives inf")
    assert mel.status == "ok"
    assert list(score(voice(1.0), voice(1.0), 16000, names)) == ["broken", "endless", "mel"]


@pytest.mark.parametrize(
    ("value", "status"),
    [(0.5, "ok"), (1 + 2e-16, "ok"), (-0.1, "failed"), (1.1, "failed")],
    ids=["inside", "rounding", "below", "above"],
)
def test_a_value_outside_of_its_bounds_is_a_defect_of_the_metric(
    value: float, status: str, tmp_path: Path
) -> None:
    path = tmp_path / "bounded.py"
    path.write_text(
        "from sqbench.metrics.base import Metric\n"
        "class Bounded(Metric):\n"
        "    name, version, direction, bounds = 'bounded', 1, 'higher', (0.0, 1.0)\n"
        "    def measure(self, pair):\n"
        f"        return {value!r}\n"
    )
    (found,) = measure_pair(voice(0.5), 16000, voice(0.5), 16000, [f"{path}:Bounded"])
    assert found.status == status
    if status == "failed":
        assert found.reason == f"bounded gives {value}, outside of its bounds 0.0 to 1.0"


@pytest.mark.parametrize(
    "arguments",
    [
        {"metrics": ["sdrr"]},
        {"metrics": []},
        {"protocol": "slt2025"},
        {"sample_rate": -1},
        {"estimate": np.zeros(10, np.int16)},
    ],
    ids=["metric", "no-metric", "protocol", "rate", "integers"],
)
def test_arguments_that_cannot_be_used(arguments: dict[str, Any]) -> None:
    given = {"reference": voice(1.0), "estimate": voice(1.0), "sample_rate": 16000, **arguments}
    with pytest.raises(InputError):
        score(**given)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Six pairs (one with a silent estimate, one unreadable), one lonely file, one ambiguous."""
    reference, estimate = tmp_path / "ref", tmp_path / "est"
    for index in (1, 2, 10):
        clean = voice(0.8 + 0.1 * index)
        audio.write(reference / f"a/clip{index}.wav", clean, 16000)
        audio.write(estimate / f"a/clip{index}.wav", damaged(clean), 16000)
    for name, samples in (("silent", np.zeros(16000)), ("text", noise(100)), ("twice", noise(100))):
        audio.write(reference / f"b/{name}.wav", voice(1.0), 16000)
        audio.write(estimate / f"b/{name}.wav", samples, 16000)
    (estimate / "b/text.wav").write_text("no audio at all")
    audio.write(estimate / "b/twice.flac.wav", noise(10), 16000)
    (estimate / "b/twice.flac.wav").rename(estimate / "b/twice.flac")
    audio.write(reference / "lonely.wav", voice(1.0), 16000)
    return reference, estimate


def in_process(function: Any, items: Any) -> Any:
    return ((index, function(item)) for index, item in enumerate(items))


def test_folders_are_scored_in_natural_order(folders: tuple[Path, Path]) -> None:
    rows = list(score_folders(*folders, metrics=["sdr", "mel"], map_fn=in_process))
    assert [row.metric for row in rows] == ["sdr", "mel"] * 7
    assert [row.id for row in rows[::2]] == [
        "a/clip1.wav",
        "a/clip2.wav",
        "a/clip10.wav",
        "b/silent.wav",
        "b/text.wav",
        "b/twice.wav",
        "lonely.wav",
    ]
    statuses = [row.measurement.status for row in rows]
    assert statuses == ["ok"] * 6 + ["undefined", "ok"] + ["failed"] * 6
    reasons = [row.measurement.reason or "" for row in rows[8:]]
    assert all("text.wav" in reason for reason in reasons[:2])
    assert all("b/twice.flac and b/twice.wav" in reason for reason in reasons[2:4])
    assert all("lonely.wav" in reason for reason in reasons[4:])


def test_folders_equal_arrays(folders: tuple[Path, Path]) -> None:
    row = next(score_folders(*folders, metrics=["mel"], map_fn=in_process))
    clean, _ = audio.read(folders[0] / "a/clip1.wav")
    bad, _ = audio.read(folders[1] / "a/clip1.wav")
    assert row.measurement == score(clean, bad, 16000, ["mel"])["mel"]


def test_results_may_come_in_any_order(folders: tuple[Path, Path]) -> None:
    def reversed_map(function: Any, items: Any) -> Any:
        return reversed([(index, function(item)) for index, item in enumerate(items)])

    metrics = ["mel"]
    straight = list(score_folders(*folders, metrics=metrics, map_fn=in_process))
    backward = list(score_folders(*folders, metrics=metrics, map_fn=reversed_map))
    assert [(row.id, str(row.measurement)) for row in straight] == [
        (row.id, str(row.measurement)) for row in backward
    ]


def test_a_lost_worker_costs_its_pair(folders: tuple[Path, Path]) -> None:
    def losing(function: Any, items: Any) -> Any:
        for index, item in enumerate(items):
            lost = SimpleNamespace(reason="the worker process died (signal SIGSEGV)")
            yield index, lost if index == 1 else function(item)

    rows = list(score_folders(*folders, metrics=["sdr", "mel"], map_fn=losing))
    assert [row.measurement.status for row in rows[:6]] == ["ok"] * 2 + ["failed"] * 2 + ["ok"] * 2
    assert "SIGSEGV" in (rows[2].measurement.reason or "")


def test_values_do_not_depend_on_the_number_of_workers(folders: tuple[Path, Path]) -> None:
    one, two = (list(score_folders(*folders, workers=workers)) for workers in (1, 2))
    assert [(r.id, r.metric, r.measurement.value.hex()) for r in one] == [
        (r.id, r.metric, r.measurement.value.hex()) for r in two
    ]
    assert sum(row.measurement.status == "ok" for row in one) == 13


def test_arguments_are_checked_before_anything_is_scored(folders: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match="unknown metric"):
        score_folders(*folders, metrics=["nope"])
    with pytest.raises(InputError, match="protocol"):
        score_folders(*folders, protocol="nope")
    with pytest.raises(InputError, match="workers"):
        score_folders(*folders, workers=0)
    with pytest.raises(InputError, match="no such folder"):
        score_folders(folders[0], folders[1] / "missing")


def test_an_unreadable_file_is_named(folders: tuple[Path, Path]) -> None:
    from sqbench.scoring import FilePair

    pair = FilePair(folders[0] / "a/clip1.wav", folders[1] / "b/text.wav", ("mel",), "slt2024")
    (one,) = measure_files(pair)
    assert one.status == "failed"
    assert str(folders[1] / "b/text.wav") in (one.reason or "")


def test_the_default_metrics_are_the_protocols() -> None:
    assert tuple(FIXED) == catalogue.SIGNAL
