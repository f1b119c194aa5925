"""``sqbench report`` and ``sqbench plot``: files written, exit statuses, errors."""

from __future__ import annotations

import sys
from pathlib import Path

import pages_factory as pages
import pytest

from sqbench.cli import main


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pages.store(tmp_path / "results")
    return tmp_path / "results"


def test_a_page_from_the_default_folder(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sqbench", "report", "--title", "A & B"])
    assert main(["report", "--title", "A & B"]) == 0
    text = Path("report.html").read_text(encoding="utf-8")
    assert "<h1>A &amp; B</h1>" in text
    assert "sqbench report --title 'A \\u0026 B'" in text
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "open report.html" in printed.err


def test_a_page_elsewhere_of_some_codecs(results: Path) -> None:
    assert main(["report", str(results), "-o", "sub/x.html", "--codec", "opus-*"]) == 0
    text = Path("sub/x.html").read_text(encoding="utf-8")
    assert "opus-12k" in text
    assert "<h1>Codecs on mini</h1>" in text
    assert '"label":"sqcodec-6k"' not in text


def test_the_interpolation_is_what_was_asked_for(results: Path) -> None:
    assert main(["report", "--bd", "akima"]) == 0
    assert '"bd_method":"akima"' in Path("report.html").read_text(encoding="utf-8")


def test_a_site(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(results), "--site", "board"]) == 0
    assert Path("board/index.html").is_file()
    assert "6 pages: open board/index.html" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["figure.pdf", "figure.svg", "figure.png"])
def test_a_figure(results: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")
    assert main(["plot", "-o", name, "--y", "pesq, stoi", "--paper", "--ci"]) == 0
    assert Path(name).stat().st_size > 1000
    assert f"50 points: {name}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report", "nowhere"], "sqbench run"),
        (["report", "--site", "a", "-o", "b"], "one or the other"),
        (["report", "--cost", "nowhere.json"], "complexity --speed"),
        (["report", "--codec", "nothing"], "--codec nothing"),
        (["report", "--source", "nothing"], "--source nothing"),
        (["report", "-o", "results/x/run.json/report.html"], "results"),
        (["plot", "--y", "nothing"], "--y nothing"),
        (["plot", "--width", "0"], "--width"),
        (["plot", "-o", "figure.doc"], "figure.doc"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_run(
    results: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "x" in " ".join(arguments):
        (results / "x").mkdir()
        (results / "x" / "run.json").write_text("{}")
    assert main(arguments) == 1
    printed = capsys.readouterr().err
    assert words in printed
    assert "Traceback" not in printed
