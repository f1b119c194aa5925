"""A third party's estimator or quantizer: from a file to its row, and what the contract refuses."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from sqbench.cli import main
from sqbench.errors import InputError
from sqbench.quantization import custom, matrix
from sqbench.quantization.cell import Cell
from sqbench.quantization.experiment import train

FILE = Path(__file__).with_name("own_methods.py")
FSQ = Cell(source="gaussian", quantizer="fsq", levels=3, estimator="ste", steps=100)
VQ = Cell(source="gaussian", quantizer="vq", bits=4, estimator="ste", steps=100)


def test_an_estimator_joins_every_quantizer_of_the_matrix(tmp_path: Path) -> None:
    own = custom.load(f"{FILE}:HalfNoise")
    assert own.info.summary.startswith("Of each value's error half")
    cells = matrix.with_methods([FSQ, VQ], [own])
    assert [(c.quantizer, c.estimator, c.block) for c in cells[2:]] == [
        ("fsq", "HalfNoise", "own"), ("vq", "HalfNoise", "own")
    ]  # fmt: skip
    (trial,) = train(cells[2], [0])
    assert trial.values["snr_db"] is not None
    # What was trained is told by what the file holds, not by where it lies.
    (tmp_path / "moved.py").write_bytes(FILE.read_bytes())
    moved = custom.load(f"{tmp_path}/moved.py:HalfNoise")
    assert replace(cells[2], custom=moved).identity == cells[2].identity
    with pytest.raises(InputError, match="other content"):
        _ = replace(own, sha256="0").target


def test_a_quantizer_stands_beside_vq() -> None:
    cells = matrix.with_methods([FSQ, VQ], [custom.load(f"{FILE}:Lattice")])
    assert [(c.quantizer, c.estimator) for c in cells[2:]] == [
        ("Lattice", "ste"), ("Lattice", "uniform")
    ]  # fmt: skip
    (trial,) = train(cells[2], [0])
    assert trial.values["entropy_bits"] is not None
    assert trial.values["entropy_bits"] <= 4


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NoGradient", "a value with a gradient"),
        ("WrongShape", r"a tensor \[2, 64, 4\]"),
        ("Mixed", "seeds that do not depend on each other"),
        ("Frozen", "a gradient at the codes"),
        ("Raises", "three by nothing"),
        ("Neither", "scalar or vector"),
        ("TooMany", "codes from 0 to 15"),
        ("number", "a class 'number'"),
        ("Missing", "no such name"),
    ],
)
def test_what_breaks_the_contract_is_refused(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        custom.load(f"{FILE}:{name}")


@pytest.mark.parametrize("text", ["mine.py:Method", "nothing", f"{FILE}:"])
def test_what_is_not_there_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--method"):
        custom.load(text)


def test_the_documented_example_is_thirty_lines_at_most_and_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docs = (Path(__file__).parents[2] / "docs/quantization.md").read_text("utf-8")
    example = docs.partition("```python\n")[2].partition("```")[0]
    assert 0 < len(example.splitlines()) <= 30
    (tmp_path / "mine.py").write_text(example)
    (tmp_path / "few.toml").write_text(
        "[[cell]]\nsource='gaussian'\nquantizer='vq'\nbits=4\nestimator='ste'\nsteps=100\n"
    )
    command = ["quantize", "--matrix", str(tmp_path / "few.toml"), "--seeds", "1"]
    command += ["--out", str(tmp_path / "out"), "--workers", "1", "--format", "csv"]
    assert main([*command, "--method", f"{tmp_path / 'mine.py'}:MyEstimator"]) == 0
    printed = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(printed.out)))
    assert [row["estimator"] for row in rows] == ["ste", "MyEstimator"]
    assert float(rows[1]["snr_db"]) > 0
    assert "left]" in printed.err


def test_a_method_that_fits_no_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["quantize", "--quantizer", "fsq", "--out", str(tmp_path / "out")]
    assert main([*command, "--method", f"{FILE}:Lattice"]) == 1
    assert "a cell in the matrix" in capsys.readouterr().err
