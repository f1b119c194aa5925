"""Columns, digits and names as somebody wants them; LaTeX that a TeX takes."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import results_factory as make

from sqbench.cli import main
from sqbench.report import render, shape, table
from sqbench.report.grid import Grid, GridCell, Head, to_latex
from sqbench.store import reader as store
from sqcodec.errors import InputError

A = make.describe("sqcodec-6k", bitrate_bps=5989.0)
B = make.describe("opus_6k", weights="none", macs_g=None, params_m=None)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    records = make.full(A, shift=-30.0) + make.full(B)
    for record in records:
        place = (record["codec"], record["utterance"], record["metric"])
        if place == ("opus_6k", "quesst/01", "pesq"):
            make.lose(record, "undefined", "50 % of a {tilde} ~ and \\ a ^ & #1 _")
    make.write(folder, make.run([A, B]), records)
    return folder


def printed(results: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["table", str(results), *options]) == 0
    return capsys.readouterr().out


def test_columns_in_the_order_asked_for(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(results, capsys, "--format", "csv", "--columns", "pesq, bitrate_bps,sdr")
    assert text.splitlines()[0] == "model,pesq,bitrate_bps,sdr"
    text = printed(results, capsys, "--format", "markdown", "--columns", "pesq,sdr")
    assert "| Model | PESQ ↑ | SDR ↑ (dB) |" in text
    assert main(["table", str(results), "--columns", "pesq,sdrr"]) == 1
    assert "one of bitrate_bps, measured_bps" in capsys.readouterr().err


def test_digits_are_for_people_only(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide = ["--columns", "bitrate_bps,sdr,mel", "--format"]
    text = printed(results, capsys, *wide, "markdown", "--digits", "1")
    (line,) = (line for line in text.splitlines() if line.startswith("| opus"))
    assert re.fullmatch(r"\| opus_6k \| 6000 \| \S*\d\.\d\S* \| \S*\d\.\d\S* \|", line)
    text = printed(results, capsys, *wide, "markdown", "--digits", "mel=4")
    (line,) = (line for line in text.splitlines() if line.startswith("| opus"))
    assert re.search(r"\| \S*\d\.\d\d\S* \| \S*\d\.\d{4}\S* \|$", line)
    plain = printed(results, capsys, *wide, "csv")
    assert printed(results, capsys, *wide, "csv", "--digits", "1") == plain


@pytest.mark.parametrize("text", ["", "x", "sdr=", "sdr=x", "-1", "99", "sdr=1,"])
def test_digits_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="--digits"):
        shape.digits_of(text)


def test_rows_are_called_otherwise(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rename = ["--rename", "opus_6k=Opus", "--rename", "sqcodec-6k=Ours = new"]
    text = printed(results, capsys, "--format", "csv", *rename)
    assert {row["model"] for row in csv.DictReader(io.StringIO(text))} == {"Opus", "Ours = new"}
    for wrong in ("opus_6k", "opus_6k=", "nobody=x"):
        assert main(["table", str(results), "--rename", wrong]) == 1
        assert f"--rename {wrong.removesuffix('=x')}" in capsys.readouterr().err


def test_a_caption_makes_a_float(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    latex = ["--format", "latex"]
    assert r"\begin{table}" not in printed(results, capsys, *latex)
    text = printed(results, capsys, *latex, "--caption", "Ours.", "--label", "tab:ours")
    body = [line for line in text.splitlines() if not line.startswith("%")]
    assert body[:4] == [
        r"\begin{table}", r"\centering", r"\caption{Ours.}", r"\label{tab:ours}",
    ]  # fmt: skip
    assert body[-1] == r"\end{table}"
    assert "% \\usepackage{booktabs}" in text
    assert main(["table", str(results), "--caption", "Ours."]) == 1
    assert "--format latex" in capsys.readouterr().err


def test_labels_of_several_tables_differ(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A]), make.full(A))
    make.write(tmp_path, make.run([A], source="other"), make.full(A, source="other"))
    built = table.build(store.load(tmp_path))
    text = render.render(built, "latex", label="tab:x")
    assert re.findall(r"\\label\{(.*)\}", text) == ["tab:x", "tab:x-2"]


def test_a_minus_is_one_in_numbers_alone() -> None:
    row = [
        GridCell(text="opus-6k"), GridCell(text="-3.21", detail="[-4.00, -2.00]"),
        GridCell(text="+1.0"), GridCell(text="1e-05"),
    ]  # fmt: skip
    heads = [Head(title="Model", number=False), *(Head(title=x) for x in ("A", "B", "C"))]
    text = to_latex(Grid(title="", heads=heads, groups=[[row]]))
    assert r"opus-6k & $-$3.21 {\scriptsize [$-$4.00, $-$2.00]} & +1.0 & 1e-05 \\" in text


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [
        printed(results, capsys, "--format", "latex", *options)
        for options in (
            [],
            ["--paper", "--ci", "--caption", "Ours & theirs".replace("&", r"\&")],
            ["--columns", "sdr,pesq", "--label", "tab:x", "--caption", "A $-$ sign"],
        )
    ]
    compare = ["compare", "opus_6k", "sqcodec-6k", "--results", str(results)]
    assert main([*compare, "--format", "latex"]) == 0
    parts.append(capsys.readouterr().out)
    text = "\n".join(
        [r"\documentclass[landscape]{article}", r"\usepackage{booktabs}", r"\begin{document}"]
        + [rf"\noindent {part}" for part in parts]
        + [r"See Table~\ref{tab:x}.", r"\end{document}", ""]
    )
    (tmp_path / "doc.tex").write_text(text, encoding="utf-8")
    made = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "doc.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )
    assert made.returncode == 0, made.stdout[-2000:]
    assert (tmp_path / "doc.pdf").stat().st_size > 10_000
