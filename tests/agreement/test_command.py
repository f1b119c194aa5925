"""The command: scores once, prints in every form; and what is known of listeners."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from pathlib import Path

import pytest

from sqbench.agreement import ratings
from sqbench.agreement.known import TABLE, known
from sqbench.agreement.recommend import TOPICS, recommend
from sqbench.agreement.report import CSV_HEADER
from sqbench.agreement.run import score
from sqbench.cli import main
from sqbench.errors import InputError
from sqbench.metrics import catalogue
from sqbench.store import reader

HERE = Path(__file__).resolve().parents[2]
LISTENING = Path(os.environ.get("SQBENCH_SHARED", HERE.parent / "shared")) / "data/listening"


class Watcher:
    def __init__(self) -> None:
        self.todo = -1
        self.done = 0

    def start(self, todo: int, total: int) -> None:
        self.todo = todo

    def scored(self) -> None:
        self.done += 1


def test_scores_are_kept_and_do_not_depend_on_workers(table: Path, tmp_path: Path) -> None:
    loaded = ratings.read(table)
    watcher = Watcher()
    first = score(loaded, ["mel", "si-sdr-aligned"], tmp_path / "one", watcher, workers=1)
    assert (first.computed, first.kept, watcher.todo, watcher.done) == (18, 0, 9, 9)
    again = score(loaded, ["mel", "stft-distance"], tmp_path / "one", watcher, workers=1)
    assert (again.computed, again.kept) == (9, 9)
    assert again.values["mel"] == first.values["mel"]
    two = score(loaded, ["mel", "si-sdr-aligned"], tmp_path / "two", watcher, workers=2)
    assert two.values == first.values
    records = reader.load(tmp_path / "one").records
    assert {record["kind"] for record in records} == {"rated"}
    assert {record["codec"] for record in records} == {"good", "fair", "bad"}


def test_what_a_metric_cannot_score_is_counted(table: Path, tmp_path: Path) -> None:
    (table.parent / "audio/1/bad.wav").write_bytes(b"no audio")
    found = score(ratings.read(table), ["mel"], tmp_path / "out", Watcher())
    assert math.isnan(found.values["mel"][5])
    assert found.missing == 1
    assert "bad.wav" in next(iter(found.reasons["mel"]))


def test_a_metric_without_a_better_end_is_refused(table: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one that has a better end"):
        score(ratings.read(table), ["delay"], tmp_path, Watcher())


def run(table: Path, *more: str) -> int:
    out = str(table.parent / "out")
    return main(["agreement", str(table), "--metrics", "mel,sdr", "--out", out, *more])


def test_csv(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(table, "--format", "csv", "--name", "three items") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert tuple(rows[0]) == CSV_HEADER
    assert CSV_HEADER[:6] == (
        "metric", "n_pairs", "pair_accuracy", "pair_accuracy_low", "pair_accuracy_high", "spearman",
    )  # fmt: skip
    everything = {row["metric"]: row for row in rows if row["part"] == "all"}
    assert everything["mel"]["pair_accuracy"] == "1.0"
    assert everything["mel"]["n_pairs"] == "9"
    assert everything["sdr"]["set"] == "three items"
    # By the table's own column: of one condition alone there are no pairs.
    split = {(row["metric"], row["part"]): row for row in rows}
    assert split["mel", "rate 24k"]["n_pairs"] == "3"
    assert split["mel", "rate 16k"]["pair_accuracy"] == ""


@pytest.mark.parametrize("format", ["rich", "markdown", "latex"])
def test_for_people(format: str, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(table, "--format", format, "--group", "best=good,fair") == 0
    text = capsys.readouterr().out
    assert "9 stimuli: 3 items, 3 conditions" in text
    assert "mel" in text
    assert "best: 3" in text
    assert "Anchor have no audio" in text


def test_json(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(table, "--format", "json") == 0
    content = json.loads(capsys.readouterr().out)
    assert content["metrics"][0]["accuracy"]["value"] == 1.0
    assert content["resamples"] == 2000


def test_plot(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    path = table.parent / "plot.png"
    assert run(table, "--plot", str(path)) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert run(table, "--plot", str(table.parent / "plot.nothing")) == 1
    assert "to write an image" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--group", "x=nobody"), "conditions of the table"),
        (("--group", "x"), "NAME=CONDITION"),
        (("--margin", "0"), "above 0"),
        (("--workers", "0"), "at least 1"),
    ],
)
def test_bad_arguments(
    arguments: tuple[str, ...], message: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(table, *arguments) == 1
    assert message in capsys.readouterr().err


def test_what_is_known_is_named_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    there = known()
    assert set(there) <= set(catalogue.names())
    assert {"sdr", "mel", "stoi", "pesq", "visqol", "distillmos"} <= set(there)
    assert main(["metrics"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert str(there["visqol"]) in text
    assert there["visqol"].set in text


@pytest.mark.parametrize("topic", TOPICS)
def test_recommendations(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--recommend", topic]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text == recommend(topic)
    assert known()["visqol"].set in text
    assert "docs/which-metric.md" in text
    assert (HERE / "docs/which-metric.md").is_file()


def test_no_such_recommendation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--recommend", "whales"]) == 1
    assert "speech, music, tokens" in capsys.readouterr().err


@pytest.mark.skipif(
    not (LISTENING / "ratings.csv").is_file(),
    reason=f"no rated stimuli at {LISTENING} (SQBENCH_SHARED names the folder above)",
)
def test_the_table_of_listeners_is_what_the_command_makes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cheap metrics of it, computed again."""
    with open(TABLE, encoding="utf-8", newline="") as handle:
        kept = {(row["metric"], row["part"]): row for row in csv.DictReader(handle)}
    table = str(LISTENING / "ratings.csv")
    assert main(
        ["agreement", table, "--metrics", "mel,si-sdr", "--out", str(tmp_path), "--format", "csv"]
    ) == 0  # fmt: skip
    for row in csv.DictReader(io.StringIO(capsys.readouterr().out)):
        expected = kept[row["metric"], "all"]
        for name in CSV_HEADER[1:-2]:
            assert float(row[name]) == pytest.approx(float(expected[name]), abs=1e-6), name
