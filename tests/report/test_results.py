"""Results in hand: data frames, tables, comparisons, notebooks."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import results_factory as make

from sqbench.report import table
from sqbench.report.compare import Comparison
from sqbench.report.render import render
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


def test_table_prints_what_the_command_prints(results: Results) -> None:
    shown = results.table()
    assert isinstance(shown, str)
    assert str(shown) == repr(shown) == render(table.build(results.store))
    assert results.table(format="csv", codecs=["codec-b"]).splitlines()[1].startswith("codec-b")
    data = results.table(sort="model").report
    assert isinstance(data, table.Table)
    assert [row.label for row in data.rows] == ["codec-a", "codec-b"]
    with pytest.raises(InputError, match="--source"):
        results.table(source="elsewhere")
    with pytest.raises(TypeError):
        results.table(no_such_option=1)


def test_compare_prints_and_holds_its_numbers(results: Results) -> None:
    shown = results.compare("codec-a", "codec-b")
    assert shown.startswith("codec-a against codec-b")
    assert isinstance(shown.report, Comparison)
    sdr = next(m for m in shown.report.metrics if m.column.key == "sdr")
    assert sdr.paired.difference == pytest.approx(-2.0)
    assert "codec-b" in results.compare("codec-a", "codec-b", format="markdown")
    with pytest.raises(InputError):
        results.compare("codec-a", "codec-z")


def test_notebooks_show_tables_and_no_markup_of_others(tmp_path: Path) -> None:
    evil = make.describe("<script>alert(1)</script>")
    make.write(tmp_path, make.run([A, evil]), [*make.full(A), *make.full(evil, shift=1.0)])
    results = Results.load(tmp_path)
    for html in (
        results._repr_html_(),
        results.table()._repr_html_(),
        results.compare("codec-a", evil["name"])._repr_html_(),
    ):
        assert "<script>" not in html
        assert "&lt;script&gt;" in html
        assert html.count("<table>") == html.count("</table>") == 1
        root = ElementTree.fromstring(f"<div>{html}</div>")
        heads = len(root.findall("./table/thead/tr/th"))
        assert {len(row.findall("td")) for row in root.findall("./table/tbody/tr")} == {heads}
    assert "<b>" in results._repr_html_()


def test_results_and_what_they_show_can_be_pickled_and_copied(results: Results) -> None:
    frame = results.frame
    for again in (pickle.loads(pickle.dumps(results)), copy.copy(results), copy.deepcopy(results)):
        assert again.store.records == results.store.records
        assert again.frame.equals(frame)
        assert again.table() == results.table()
    shown = pickle.loads(pickle.dumps(results.table()))
    assert shown == results.table()
    assert shown._repr_html_() == results.table()._repr_html_()


def test_empty_results_show_themselves_too() -> None:
    empty = Results(store.Store())
    assert empty._repr_html_() == "<pre>Results(0 records of 0 runs: )</pre>"
    with pytest.raises(InputError):
        empty.table()
