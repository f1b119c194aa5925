"""The pages on codecs and metrics of one's own: their files and commands, run as they stand."""

from __future__ import annotations

import csv
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sqbench.cli import main

DOCS = Path(__file__).parents[1] / "docs"


def _blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.S)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def _write_files(page: str, folder: Path) -> list[str]:
    names = []
    for code in _blocks(page, "python"):
        names.append(code.splitlines()[0].removeprefix("# "))
        (folder / names[-1]).write_text(code)
    return names


def _commands(page: str) -> list[list[str]]:
    return [shlex.split(line) for block in _blocks(page, "sh") for line in block.splitlines()]


def _run(words: list[str]) -> None:
    if words[0] == "python":
        subprocess.run([sys.executable, *words[1:]], check=True)
    else:
        assert words[0] == "sqbench"
        assert main(words[1:]) == 0, words


def test_a_network_of_three_files_from_nothing_to_a_comparison(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _write_files("your-codec.md", folder) == ["net.py", "make_weights.py", "my_codec.py"]
    printed = {}
    for words in _commands("your-codec.md"):
        if "my_codec.py:Tiny@other.pt" in words:
            (folder / "tiny.pt").rename(folder / "other.pt")
        _run(words)
        printed[" ".join(words)] = capsys.readouterr()
    assert "keeps the contract" in printed["sqbench codecs check my_codec.py:Tiny"].out
    assert "identity from my_codec.py, net.py" in "".join(p.err for p in printed.values())
    rows = list(csv.DictReader(io.StringIO(printed["sqbench table results/ --format csv"].out)))
    (tiny,) = (row for row in rows if row["model"] == "tiny")
    assert float(tiny["bitrate_bps"]) == 1000.0
    assert float(tiny["macs_g"]) > 0
    assert all(tiny[metric] for metric in ("sdr", "mel", "stoi", "pesq", "audio_sdr", "audio_mel"))
    compared = printed["sqbench compare tiny opus-6k --results results/"].out
    assert compared.startswith("tiny against opus-6k")
    assert "tiny" in printed["sqbench complexity --codec my_codec.py:Tiny"].out


def test_a_metric_of_ones_own_has_an_arrow_and_a_winner(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _write_files("your-metric.md", folder) == ["my_metric.py"]
    for words in _commands("your-metric.md"):
        _run(words)
    printed = capsys.readouterr().out
    assert "LSD ↓" in printed
    assert (
        main(["compare", "mulaw-8", "resample-8k", "--results", "results", "--format", "csv"]) == 0
    )
    rows = {row["metric"]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert float(rows["lsd"]["difference"]) < 0
    assert float(rows["lsd"]["win_rate"]) == 1.0
