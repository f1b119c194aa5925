"""Which cells there are, which cannot be, and what files may say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sqbench.quantization import matrix
from sqbench.quantization.cell import Cell
from sqcodec.errors import InputError


def test_the_default_matrix() -> None:
    cells = matrix.default()
    counts = {"A": 24, "A2": 2, "A3": 2, "A4": 2, "B": 12, "B2": 2, "C": 8, "D": 4}
    assert Counter(cell.block for cell in cells) == counts
    assert len({cell.identity for cell in cells}) == 56
    assert len({cell.label for cell in cells}) == 56


def test_the_extended_matrix_holds_the_default() -> None:
    cells = matrix.load("extended")
    assert cells[:56] == matrix.default()
    assert len({cell.identity for cell in cells}) == len(cells) == 131


def test_choice() -> None:
    cells = matrix.default()
    chosen = matrix.choose(cells, estimators=["ste"], quantizers=["fsq"], bits=[8])
    assert [(c.source, c.levels) for c in chosen] == [("gaussian", 4), ("uniform", 4)]
    assert matrix.choose(cells) == cells
    with pytest.raises(InputError, match="no cell with all of it"):
        matrix.choose(cells, estimators=["nsvq"])
    with pytest.raises(InputError, match="Did you mean 'diveq'"):
        matrix.choose(cells, estimators=["divq"])


def test_a_file_of_cells(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        "[[cell]]\nsource = 'gaussian'\nquantizer = 'fsq'\nlevels = [3, 5]\n"
        "estimator = ['ste', 'soft']\n"
        "[[cell]]\nsource = 'alphabet'\nsource_bits = 5\nquantizer = 'vq'\nbits = 5\n"
        "estimator = 'soft'\nsharpness = [1, 30.0]\nsteps = 200\n"
    )
    cells = matrix.load(str(path))
    assert [(c.levels, c.estimator) for c in cells[:4]] == [
        (3, "ste"), (3, "soft"), (5, "ste"), (5, "soft")
    ]  # fmt: skip
    assert cells[4].annealing == (1, 30.0)
    assert "soft to 30, 200 steps" in cells[4].label


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no \\[\\[cell\\]\\]"),
        ("[[cell]", "mine.toml"),
        ("[[cell]]\nsorce='gaussian'", "Did you mean 'source'"),
        ("[[cell]]\nsource='gaussian'", "estimator, quantizer"),
        ("[[cell]]\nsource='gaussian'\nquantizer='fsq'\nlevels='3'\nestimator='ste'", "whole"),
        ("[[cell]]\nsource='gaussian'\nquantizer='fsq'\nlevels=[3, 3]\nestimator='ste'", "twice"),
        ("[[cell]]\nsource='gaussian'\nquantizer='fsq'\nlevels=3\nestimator='nsvq'", "levels"),
    ],
)
def test_files_that_cannot_be_used(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        matrix.load(str(path))


def test_no_such_matrix() -> None:
    with pytest.raises(InputError, match="default, extended"):
        matrix.load("extendet")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"source": "gausian"}, "Did you mean 'gaussian'"),
        ({"source": "alphabet"}, "source_bits"),
        ({"source_bits": 3}, "source_bits"),
        ({"quantizer": "vq"}, "bits"),
        ({"levels": 1}, "at least 2"),
        ({"levels": 12}, "at most 13 bits"),
        ({"estimator": "diveq"}, "one for levels"),
        ({"commitment": 0.1}, "0 for levels"),
        ({"stages": 2}, "residual"),
        ({"sharpness": (0.0, 1.0)}, "above 0"),
        ({"steps": 10}, "at least 100"),
        ({"quantizer": "vq", "levels": 0, "bits": 4, "estimator": "uniform"}, "one for vectors"),
        ({"quantizer": "rvq", "levels": 0, "bits": 5, "stages": 2}, "a part of 5"),
        ({"quantizer": "vq-ema", "levels": 0, "bits": 4, "estimator": "nsvq"}, "averages"),
        ({"quantizer": "simvq", "levels": 0, "bits": 4, "estimator": "nsvq"}, "its loss"),
        ({"quantizer": "rvq", "levels": 0, "bits": 4, "estimator": "soft"}, "cascade"),
        ({"quantizer": "lfq", "levels": 0, "bits": 4, "estimator": "universal"}, "quantizer has"),
    ],
)
def test_cells_that_cannot_be(content: dict[str, Any], words: str) -> None:
    plain: dict[str, Any] = {
        "source": "gaussian", "quantizer": "fsq", "levels": 3, "estimator": "ste",
    }  # fmt: skip
    with pytest.raises(InputError, match=words):
        Cell(**{**plain, **content})


def test_identity_is_of_the_training_alone() -> None:
    cell, *_ = matrix.default()
    content = {f: getattr(cell, f) for f in cell.__dataclass_fields__}
    assert Cell(**{**content, "block": "Z"}).identity == cell.identity
    assert Cell(**{**content, "steps": 901}).identity != cell.identity
