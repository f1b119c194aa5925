"""The forms of tables and comparisons."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
import results_factory as make

from sqbench.report import compare, grid, render, table
from sqbench.store import reader as store
from sqbench.store.reader import Store
from sqcodec.errors import InputError

A = make.describe("sqcodec-6k", bitrate_bps=5989.0)
B = make.describe("opus_6k", weights="none", macs_g=None, params_m=None)
HEADER = (
    "model,bitrate_bps,measured_bps,num_codebooks,macs_g,params_m,"
    "sdr,mel,stoi,pesq,audio_sdr,audio_mel"
)


@pytest.fixture
def loaded(tmp_path: Path) -> Store:
    records = make.full(A, shift=1.0) + make.full(B)
    for record in records:
        place = (record["codec"], record["utterance"], record["metric"])
        if place == ("opus_6k", "quesst/01", "pesq"):
            make.lose(record, "undefined", "too [short]")
    make.write(tmp_path, make.run([A, B]), records)
    return store.load(tmp_path)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_header_is_exact(loaded: Store) -> None:
    assert render.render(table.build(loaded), "csv").splitlines()[0] == HEADER


def test_csv_has_full_precision_and_empty_for_missing(loaded: Store) -> None:
    built = table.build(loaded, paper=True)
    lines = {line["model"]: line for line in rows_of(render.render(built, "csv"))}
    assert len(lines) == 23
    for row in built.rows:
        line = lines[row.label]
        for key in HEADER.split(",")[1:]:
            value = row.entries[key].value
            assert (line[key] == "") if value is None else (float(line[key]) == value)
    assert lines["opus_6k"]["macs_g"] == ""
    assert lines["sqcodec-6k"]["bitrate_bps"] == "5989"
    assert lines["SQCodec 6k (paper)"]["measured_bps"] == ""


def test_csv_begins_with_the_fixed_header_whatever_else_was_measured(tmp_path: Path) -> None:
    records = [*make.full(A), make.score(A, "quesst/00", "si-sdr", 1.0)]
    make.write(tmp_path, make.run([A]), records)
    built = table.build(store.load(tmp_path))
    assert render.render(built, "csv").splitlines()[0] == f"{HEADER},si-sdr"
    assert "SI-SDR" in render.render(built, "markdown")


def test_csv_of_two_sources_names_the_choices(loaded: Store, tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A], source="other"), make.full(A, source="other"))
    both = store.load(tmp_path)
    with pytest.raises(InputError, match=r"mini \(slt2024\), other \(slt2024\)") as error:
        render.render(table.build(both), "csv")
    assert "--source" in str(error.value)
    assert len(rows_of(render.render(table.build(both, source="other"), "csv"))) == 1
    assert len(json.loads(render.render(table.build(both), "json"))) == 2
    for form in ("rich", "markdown", "latex"):
        text = render.render(table.build(both), form)
        assert "mini (slt2024)" in text
        assert "other (slt2024)" in text


def test_json_traces_a_cell_to_its_datasets(loaded: Store) -> None:
    (section,) = json.loads(render.render(table.build(loaded, ci=True), "json"))
    ours, opus = section["rows"]
    assert (section["source"], section["protocol"], section["failures"]) == (
        "mini",
        "slt2024",
        "mean",
    )
    assert (ours["model"], ours["weights"]) == ("sqcodec-6k", "bundled 1a2b3c4d")
    assert ours["description"]["weights"]["sha256"] == "1a2b3c4d" * 8
    assert ours["num_codebooks"] == 1
    sets = opus["scores"]["pesq"]["datasets"]
    assert (sets["quesst"]["scored"], sets["quesst"]["expected"]) == (3, 4)
    assert math.isclose(
        opus["pesq"], (sets["quesst"]["mean"] + sets["librispeech"]["mean"]) / 2, rel_tol=1e-12
    )
    assert opus["reasons"] == [
        {"metric": "pesq", "status": "undefined", "reason": "too [short]", "count": 1}
    ]
    assert ours["intervals"]["sdr"]["low"] < ours["sdr"] < ours["intervals"]["sdr"]["high"]
    assert "sdr" in ours["best"]


def test_markdown_has_weights_marks_and_bold(loaded: Store) -> None:
    text = render.render(table.build(loaded, paper=True), "markdown")
    lines = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if "|" in line}
    ours = lines["sqcodec-6k [bundled 1a2b3c4d]"]
    assert ours.count("**") == 6  # SDR, STOI and audio SDR: of PESQ the other has fewer
    assert lines["opus_6k"].count("†") == 1
    assert f"| {grid.NOTHING} |" in lines["opus_6k"]
    assert "**" not in lines["SQCodec 6k (paper)"]
    assert {line.count(" | ") for line in lines.values()} == {11}
    assert "- † opus_6k: PESQ 7 of 8 scored; undefined (PESQ 1): too [short]." in text


def test_latex_is_escaped_and_balanced(loaded: Store) -> None:
    text = render.render(table.build(loaded, paper=True, ci=True), "latex")
    body = [line for line in text.splitlines() if not line.startswith("%")]
    rows = [line for line in body if line.endswith(r"\\")]
    assert len(rows) == 2 + 2 + 21
    assert {line.count(" & ") for line in rows} == {11}
    joined = "\n".join(body)
    assert r"opus\_6k" in joined
    assert r"\#Q" in joined
    assert r"SDR $\uparrow$" in joined
    assert r"$^\dagger$" in joined
    assert r"\textbf{" in joined
    assert joined.count("{") == joined.count("}")
    assert joined.isascii()


def test_reasons_are_not_read_as_markup(loaded: Store) -> None:
    assert "too [short]" in render.render(table.build(loaded), "rich")


@pytest.mark.parametrize("width", [120, 160, 200])
@pytest.mark.parametrize("ci", [False, True], ids=["plain", "ci"])
def test_a_terminal_of_usual_width_is_enough(loaded: Store, width: int, ci: bool) -> None:
    text = render.render(table.build(loaded, paper=True, ci=ci), "rich", width=width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in text  # nothing cut
    (ours,) = (line for line in lines if line.startswith("sqcodec-6k"))
    cells = ours.replace(" [bundled 1a2b3c4d]", "").split()
    assert len(cells) == 12
    (sdr,) = (e.entries["sdr"].value for e in table.build(loaded).rows if e.label == "sqcodec-6k")
    assert cells[6] == f"{sdr:.2f}"


def test_without_a_width_nothing_is_squeezed(loaded: Store) -> None:
    text = render.render(table.build(loaded), "rich")
    assert "sqcodec-6k [bundled 1a2b3c4d]" in text
    assert "\x1b" not in text


def test_best_is_bold_on_a_terminal(loaded: Store) -> None:
    built = table.build(loaded)
    (sdr,) = (row.entries["sdr"].value for row in built.rows if row.label == "sqcodec-6k")
    text = render.render(built, "rich", width=160, color=True)
    assert f"\x1b[1m{sdr:.2f}\x1b[0m" in text


def test_digits_stay_under_each_other_beside_a_mark(loaded: Store) -> None:
    text = render.render(table.build(loaded), "rich").splitlines()
    (ours,) = (line for line in text if line.startswith("sqcodec"))
    (opus,) = (line for line in text if line.startswith("opus"))
    mark = opus.index("†")
    assert ours[mark] == " "
    assert ours[mark - 1].isdigit()
    assert opus[mark - 1].isdigit()


def test_show_prints_to_standard_output(loaded: Store, capsys: pytest.CaptureFixture[str]) -> None:
    built = table.build(loaded)
    for form in render.FORMATS:
        render.show(built, form)
        assert capsys.readouterr().out == render.render(built, form)


def test_unknown_format(loaded: Store) -> None:
    with pytest.raises(InputError, match="rich, markdown, latex, csv, json"):
        render.render(table.build(loaded), "html")


def test_comparison_in_every_form(loaded: Store) -> None:
    found = compare.build(loaded, "sqcodec-6k", "opus_6k")
    content: dict[str, Any] = json.loads(render.render(found, "json"))
    assert content["metrics"]["sdr"]["difference"] == pytest.approx(2.0)
    assert content["metrics"]["pesq"]["left_out"] == 1
    lines = {line["metric"]: line for line in rows_of(render.render(found, "csv"))}
    assert float(lines["mel"]["win_rate"]) == 0.0
    assert lines["pesq"]["n"] == "7"
    markdown = render.render(found, "markdown")
    assert "| SDR ↑ |" in markdown
    assert "| sqcodec-6k | 100% | 8 |" in markdown
    assert "| opus_6k | 0% | 8 |" in markdown  # MEL: lower is better
    assert r"opus\_6k" in render.render(found, "latex")
    assert "+2.00" in render.render(found, "rich", width=100)


def test_no_difference_names_nobody_better(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A, B]), make.full(A) + make.full(B))
    found = compare.build(store.load(tmp_path), "sqcodec-6k", "opus_6k")
    assert f"| {grid.NOTHING} | 50% | 8 |" in render.render(found, "markdown")


@pytest.mark.parametrize("ci", [False, True], ids=["values", "intervals"])
def test_a_terminal_of_80_columns_is_enough(tmp_path: Path, ci: bool) -> None:
    """In blocks, every number whole; what is left out is said."""
    make.write(tmp_path, make.run([A, B]), make.full(A) + make.full(B, shift=1.0))
    text = render.render(table.build(store.load(tmp_path), ci=ci), width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for title in ("SDR", "MEL", "STOI", "PESQ", "Audio"):
        assert title in text
    assert "MACs, Params: left out" in text
    wide = render.render(table.build(store.load(tmp_path), ci=ci), width=200)
    assert "left out" not in wide
    assert "Params" in wide


def test_csv_has_every_metric_and_interval(tmp_path: Path) -> None:
    extra = [
        make.score(A, f"{name}/{i:02d}", "si-sdr", make.value_of("sdr", f"{name}/{i:02d}"))
        for name in ("librispeech", "quesst")
        for i in range(4)
    ]
    metrics = (*make.SIGNAL, "si-sdr")
    make.write(tmp_path, make.run([A], metrics=metrics), make.full(A) + extra)
    loaded = store.load(tmp_path)
    (row,) = csv.DictReader(io.StringIO(render.render(table.build(loaded), "csv")))
    assert float(row["si-sdr"]) == pytest.approx(float(row["sdr"]))
    (row,) = csv.DictReader(io.StringIO(render.render(table.build(loaded, ci=True), "csv")))
    for name in ("sdr", "mel", "stoi", "pesq", "audio_sdr", "si-sdr"):
        assert float(row[f"{name}_low"]) <= float(row[name]) <= float(row[f"{name}_high"])


def test_metrics_that_no_row_was_to_have_have_no_column(tmp_path: Path) -> None:
    """For people; a CSV has its fixed columns whatever was measured."""
    records = [make.score(A, f"quesst/{i:02d}", "sdr", 1.0) for i in range(2)]
    records += [make.score(A, f"quesst/{i:02d}", "stoi", 1.0) for i in range(2)]
    for record in records:
        if record["metric"] == "stoi":
            make.lose(record, "failed", "broken")
    make.write(tmp_path, make.run([A], metrics=["sdr", "stoi"], n=2), records)
    built = table.build(store.load(tmp_path))
    text = render.render(built, "markdown")
    (head,) = (line for line in text.splitlines() if line.startswith("| Model"))
    assert "SDR" in head
    assert "STOI" in head  # asked for, and lost
    assert "PESQ" not in head
    assert "MEL" not in head
    assert render.render(built, "csv").splitlines()[0] == HEADER
