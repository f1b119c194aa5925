"""Results as data frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import results_factory as make

from sqbench.report.results import Results
from sqbench.store import aggregate
from sqbench.store import reader as store
from sqcodec.errors import InputError

A = make.describe("codec-a")
B = make.describe("codec-b", weights="none")


@pytest.fixture
def results(tmp_path: Path) -> Results:
    failed = make.score(
        B, "quesst/00", "pesq", None, status="undefined", reason="no utterances detected"
    )
    make.write(tmp_path, make.run([A]), make.full(A))
    make.write(tmp_path, make.run([B]), [*make.full(B, shift=1.0), failed])
    return Results.load(tmp_path)


def test_frame_has_one_row_per_score(results: Results) -> None:
    frame = results.frame
    assert len(frame) == sum(r["kind"] == "score" for r in results.store.records)
    assert set(frame.columns) >= {"run_id", "codec", "metric", "value", "status", "reason"}
    assert frame["value"].dtype == np.float64
    lost = frame[frame["status"] == "undefined"]
    assert len(lost) == 1
    assert np.isnan(lost["value"].iloc[0])
    assert lost["reason"].iloc[0] == "no utterances detected"
    assert frame["run_id"].nunique() == 2


def test_coding_has_bits_and_seconds(results: Results) -> None:
    assert len(results.coding) == 24
    assert (results.coding["bits"] / results.coding["duration_s"] == 6000.0).all()


def test_summary_equals_the_rows(results: Results) -> None:
    summary = results.summary()
    for row in aggregate.rows(results.store):
        line = summary.loc[row.label]
        for key, cell in row.cells.items():
            assert line[key] == cell.value
        assert line["complete"] == row.complete
        assert line["measured_bps"] == 6000.0
    assert list(summary["complete"]) == [True, False]
    dropped = results.summary(failures="drop")
    assert list(dropped["sdr"] == summary["sdr"]) == [True, False]


def test_save_and_load_keep_everything(results: Results, tmp_path: Path) -> None:
    results.save(tmp_path / "copy")
    again = Results.load(tmp_path / "copy")
    assert again.store.records == results.store.records
    assert again.store.runs == results.store.runs
    assert again.store.origins == results.store.origins
    assert again.problems == []
    with pytest.raises(InputError, match="without these runs"):
        results.save(tmp_path / "copy")


def test_problems_are_passed_on(tmp_path: Path) -> None:
    path = make.write(tmp_path, make.run([A]), make.full(A))
    with open(path / "records.jsonl", "ab") as handle:
        handle.write(b'{"torn')
    assert len(Results.load(tmp_path).problems) == 1


def test_nothing_to_load(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run"):
        Results.load(tmp_path)


def test_empty_results_have_empty_frames() -> None:
    empty = Results(store.Store())
    assert (len(empty.frame), len(empty.coding), len(empty.summary())) == (0, 0, 0)


def test_repr_names_the_codecs(results: Results) -> None:
    assert repr(results).endswith("of 2 runs: codec-a, codec-b)")
