"""Runs: results kept, resumed, tabled, drawn, checked; and what goes wrong."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sqbench.cli import main
from sqbench.quantization import checks, matrix, page, plots, record, tables
from sqbench.quantization.build import shape
from sqbench.quantization.cell import Cell
from sqbench.quantization.experiment import QuantizationTrial
from sqbench.quantization.run import grouped, run
from sqbench.quantization.verdict import NOT_RUN
from sqbench.store import aggregate
from sqbench.store import reader as store
from sqbench.store.writer import RunWriter

CELLS = [
    Cell(source="gaussian", quantizer="fsq", levels=3, estimator="ste", steps=100, block="X"),
    Cell(source="alphabet", source_bits=4, quantizer="vq", bits=4, estimator="mste", steps=100,
         block="X"),
]  # fmt: skip
TOML = """
[[cell]]
source = "gaussian"
quantizer = "fsq"
levels = 3
estimator = ["ste", "uniform"]
steps = 100
"""


class Notes:
    """A monitor that remembers."""

    def __init__(self) -> None:
        self.todo = -1
        self.labels: list[str] = []
        self.reasons: list[str] = []

    def start(self, todo: int, total: int, work: float) -> None:
        self.todo = todo

    def trained(self, cell: Cell, trials: Sequence[QuantizationTrial]) -> None:
        self.labels.append(cell.label)

    def failed(self, cell: Cell, reason: str) -> None:
        self.reasons.append(reason)


class Inline:
    """In place of the pool: the same in this process, without the seconds that workers start in."""

    def __init__(self, workers: int, **_: float) -> None:
        self.workers = workers

    def __enter__(self) -> Inline:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any]
    ) -> Iterator[tuple[int, Any]]:
        for index, item in enumerate(items):
            yield index, function(item)


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sqbench.quantization.run.ProcessPool", Inline)


@pytest.mark.usefixtures("inline")
def test_what_is_there_is_not_trained_again(tmp_path: Path) -> None:
    notes = Notes()
    first = run(CELLS[:1], [0, 1], tmp_path, notes)
    assert (notes.todo, first.computed, first.kept) == (1, 1, 0)
    again = run(CELLS[:1], [0, 1], tmp_path, notes)
    assert (notes.todo, again.computed, again.kept) == (0, 0, 1)
    assert again.trials == first.trials
    more = run(CELLS, [0, 1, 2], tmp_path, notes)
    assert notes.todo == 2
    assert [trial.seed for trial in more.trials[CELLS[0].identity]] == [0, 1, 2]
    # A third seed joined the others without their being trained again.
    assert more.trials[CELLS[0].identity][:2] == first.trials[CELLS[0].identity]
    loaded = store.load(tmp_path)
    assert not loaded.problems
    assert aggregate.rows(loaded) == []  # no codec's results
    content = loaded.runs[0]["quantize"]["cells"][CELLS[0].identity]
    assert content["levels"] == 3


def test_a_cell_whose_worker_fails_is_reported_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = Notes()
    with monkeypatch.context() as patch:
        patch.setattr("sqbench.quantization.run._train", _broken)
        outcome = run(CELLS[:1], [0], tmp_path, notes)
    assert "TypeError" in outcome.failed[CELLS[0].label]
    assert notes.reasons
    again = run(CELLS[:1], [0], tmp_path, notes, workers=2)
    assert (again.computed, again.failed) == (1, {})
    assert len(again.trials[CELLS[0].identity]) == 1


_broken = int  # of a tuple: a TypeError in the worker


def test_trials_survive_the_store(tmp_path: Path) -> None:
    trial = QuantizationTrial(
        seed=4, values={"snr_db": None, "growth": 2.5}, reasons={"snr_db": "left"}, cpu_s=1.5
    )
    with RunWriter(tmp_path, record.run_description(CELLS, [4], "", {})) as writer:
        writer.append(record.of_trial(CELLS[0], trial))
    found = record.trials(store.load(tmp_path), CELLS, [3, 4])
    assert found == {CELLS[0].identity: [trial], CELLS[1].identity: []}
    # No value is a result too: deterministic training would lose it again.
    assert record.missing(CELLS[0], [4], store.load(tmp_path)) == []


def test_tables_in_every_form() -> None:
    trials = {
        CELLS[0].identity: [_trial(0, 8.0), _trial(1, 9.0), _trial(2, None)],
        CELLS[1].identity: [],
    }
    markdown = tables.render(CELLS, trials, "markdown")
    assert "8.50† [8.00, 9.00]" in markdown
    assert "seed 2: training left the finite numbers" in markdown
    assert f"{CELLS[1].label}: no result" in markdown
    rows = list(csv.DictReader(io.StringIO(tables.render(CELLS, trials, "csv"))))
    assert [row["snr_db"] for row in rows] == ["8.0", "9.0", ""]
    content = json.loads(tables.render(CELLS, trials, "json"))
    assert content[0]["trials"][2]["reasons"]["snr_db"].startswith("training left")
    assert "\\toprule" in tables.render(CELLS, trials, "latex")
    assert "gaussian" in tables.render(CELLS, trials, "rich")


def test_a_narrow_terminal_gets_whole_numbers_of_fewer_columns() -> None:
    cells = matrix.load("extended")[::4]
    trials = {
        cell.identity: [_trial(seed, 10.0 + seed, growth=1234.5, churn=0.25) for seed in range(3)]
        for cell in cells
    }
    for width in (80, 100, 120):
        text = tables.render(cells, trials, "rich", width=width)
        assert max(map(len, text.splitlines())) <= width
        assert "\u2026" not in text
        assert "11.00" in text
        assert "Not shown, for want of width" in text
    assert "Not shown" not in tables.render(cells, trials, "rich", width=200)
    many = tables.render(cells, trials, "rich", width=120)
    assert many.count("1.23e+03") == len(cells)


def test_the_page_holds_table_checks_and_plots_and_escapes_names() -> None:
    pytest.importorskip("matplotlib")
    cells = [*matrix.choose(matrix.default(), estimators=["ste"], quantizers=["fsq"], bits=[8])]
    trials = {cell.identity: [_trial(0, 9.0, reference_db=9.3, bound_db=12.04)] for cell in cells}
    verdicts = checks.check(cells, trials)
    text = page.render(
        cells, trials, verdicts, "sqbench quantize --out '<script>alert(1)</script>'"
    )
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert text.count("data:image/svg+xml;base64,") == 2
    assert "<td>theory</td>" in text
    assert NOT_RUN not in text
    assert "http" not in text.replace("http://www.w3.org", "")


def test_checks_without_results_judge_nothing() -> None:
    verdicts = checks.check([], {})
    assert {verdict.measured for verdict in verdicts} == {NOT_RUN}
    assert {verdict.passed for verdict in verdicts} == {None}
    assert {verdict.passed for verdict in checks.check(matrix.default(), {})} == {None}


def test_a_finding_that_is_not_seen_again_is_no_failure() -> None:
    cells = matrix.default()
    spare = next(c for c in cells if c.label == "alphabet-4, vq 6 bits, ste+cl0.25")
    trials = {spare.identity: [_trial(0, 20.0, entropy_bits=4.0)]}
    found = {
        (v.kind, v.passed, v.fails) for v in checks.check(cells, trials) if "SNR, codes" in v.what
    }
    assert found == {("regression", False, True), ("replication", False, False)}
    text = checks.render(checks.check(cells, trials))
    assert "differs" in text
    assert "1 of 3 findings seen again" in text


def test_jobs_hold_cells_of_one_shape_and_no_more_than_use_the_overhead_up() -> None:
    cells = matrix.default()
    jobs = grouped([(cell, [0, 1, 2]) for cell in cells])
    assert sorted(c.label for group, _ in jobs for c in group) == sorted(c.label for c in cells)
    for group, seeds in jobs:
        assert len({shape(cell) for cell in group}) == 1
        assert len(group) * len(seeds) <= 15
    assert len(jobs) < 30


def test_checks_judge_what_there_is() -> None:
    cells = matrix.default()
    (ste,) = matrix.choose(cells, estimators=["ste"], quantizers=["fsq"], bits=[8])[:1]
    trials = {
        ste.identity: [_trial(seed, 9.0, reference_db=9.3, bound_db=12.04) for seed in range(3)]
    }
    verdicts = checks.check(cells, trials)
    assert {verdict.name for verdict in verdicts} == {f"B{i}" for i in range(1, 15)}
    judged = [verdict for verdict in verdicts if verdict.passed is not None]
    assert {(v.name, v.passed) for v in judged} == {
        ("B6", True),
        ("B9", True),
        ("B10", True),
        ("B14", True),
    }
    worse = {ste.identity: [_trial(seed, 5.0, reference_db=9.3) for seed in range(3)]}
    failed = [v for v in checks.check(cells, worse) if v.passed is False]
    assert [(v.name, v.kind) for v in failed] == [("B10", "regression"), ("B10", "replication")]
    assert "FAILED" in checks.render(failed)
    better = {ste.identity: [_trial(seed, 12.5, bound_db=12.04) for seed in range(3)]}
    assert "B9" in {v.name for v in checks.check(cells, better) if v.passed is False}


def test_plots_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    cells = matrix.choose(matrix.load("extended"), bits=[6, 8])
    cells = [cell for cell in cells if cell.block in ("A2", "B", "C", "E5")]
    trials = {
        cell.identity: [
            _trial(s, 5.0 + s, reference_db=6.0, **{"latent_std@0": 1.0, "latent_std@900": 2.0})
            for s in range(2)
        ]
        for cell in cells
    }
    paths = plots.draw(cells, trials, tmp_path)
    assert [path.name for path in paths] == [
        "snr_over_bits.png", "latent_growth.png", "codebook_usage.png"
    ]  # fmt: skip
    assert all(path.stat().st_size > 20_000 for path in paths)
    assert plots.draw(cells, {}, tmp_path) == []
    alone = [cell for cell in cells if cell.quantizer == "fsq"][:1]
    assert len(plots.draw(alone, trials, tmp_path)) == 2  # no growth to compare


def test_missing_matplotlib_is_named_before_any_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name)
    )
    out = tmp_path / "out"
    assert main(["quantize", "--plots", str(tmp_path / "plots"), "--out", str(out)]) == 1
    assert "pip install 'matplotlib>=3.8'" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.usefixtures("inline")
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(TOML)
    out, drawn = tmp_path / "out", tmp_path / "plots"
    command = ["quantize", "--matrix", str(file), "--seeds", "2", "--out", str(out)]
    command += ["--workers", "1"]
    assert main([*command, "--plots", str(drawn), "--check"]) == 0
    printed = capsys.readouterr()
    assert "uniform" in printed.out
    assert "checks hold" in printed.out
    assert "Replication" not in printed.out  # 100 steps are not what others' findings are of
    assert "2 cells trained" in printed.err
    assert (drawn / "snr_over_bits.png").exists()
    assert main([*command, "--format", "json", "--estimator", "ste"]) == 0
    printed = capsys.readouterr()
    (cell,) = json.loads(printed.out)
    assert len(cell["trials"]) == 2
    assert "0 cells trained" in printed.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--estimator", "stee"], "Did you mean 'ste'"),
        (["--quantizer", "vqq"], "Did you mean 'vq'"),
        (["--bits", "four"], "numbers such as"),
        (["--bits", "5"], "no cell with all of it"),
        (["--matrix", "/no/such.toml"], "/no/such.toml"),
        (["--seeds", "0"], "--seeds"),
        (["--workers", "0"], "--workers"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_usage_errors(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["quantize", "--out", str(tmp_path / "out"), *arguments]) == 1
    printed = capsys.readouterr().err
    assert words in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("option", ["--out", "--plots"])
def test_a_place_that_cannot_be_written(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    options = {"--out": str(tmp_path / "out"), option: str(tmp_path / "file/below")}
    words = [word for pair in options.items() for word in pair]
    assert main(["quantize", "--estimator", "soft", "--bits", "2", *words]) == 1
    assert "file is a file" in capsys.readouterr().err


@pytest.mark.slow
def test_behaviour_of_the_extended_matrix(tmp_path: Path) -> None:
    """B1 to B14, ten minutes on two cores."""
    cells = matrix.load("extended")
    outcome = run(cells, range(3), tmp_path, Notes(), workers=2)
    assert not outcome.failed
    verdicts = checks.check(cells, outcome.trials)
    assert not [v for v in verdicts if v.fails or v.measured == NOT_RUN]


def _trial(seed: int, snr_db: float | None, **more: float) -> QuantizationTrial:
    values: dict[str, float | None] = {"snr_db": snr_db, "entropy_bits": 3.0, "usage": 0.9,
                                       "train_test_gap_db": 0.0, **more}  # fmt: skip
    reasons = (
        {} if snr_db is not None else {"snr_db": "training left the finite numbers by step 50"}
    )
    return QuantizationTrial(seed=seed, values=values, reasons=reasons)
