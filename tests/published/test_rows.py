"""The published rows."""

from __future__ import annotations

import csv
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sqbench.published import rows as paper

SHARED = Path(os.environ.get("SQBENCH_SHARED", Path(__file__).resolve().parents[3] / "shared"))


@pytest.mark.parametrize("name", ["table1", "table2", "table3", "table5"])
def test_rows_equal_the_transcription(name: str) -> None:
    path = SHARED / "spec" / "paper" / f"{name}.csv"
    if not path.is_file():
        pytest.skip(f"no transcription of the paper's tables at {path}")
    with open(path, newline="") as handle:
        expected = list(csv.DictReader(handle))
    rows: tuple[Any, ...] = getattr(paper, name)()
    assert len(rows) == len(expected) > 0
    for row, line in zip(rows, expected, strict=True):
        assert set(asdict(row)) == set(line)
        for key, text in line.items():
            value = getattr(row, key)
            if isinstance(value, tuple):
                assert " ".join(map(str, value)) == text
            elif isinstance(value, str):
                assert value == text
            else:
                assert value == float(text)


def test_known_figures() -> None:
    """Rows checked by eye against the paper."""
    sq6k = next(r for r in paper.table1() if (r.model, r.bitrate_bps) == ("SQCodec", 6000))
    assert (sq6k.sdr, sq6k.pesq, sq6k.audio_sdr, sq6k.num_codebooks) == (10.77, 3.02, 7.31, 1)
    assert len(paper.table1()) == len(paper.table2()) == 21
    assert [row.bitrate_bps for row in paper.table5()] == [
        750,
        1500,
        3000,
        6000,
        12000,
        12000,
        24000,
    ]
    assert paper.table5()[3].levels == (7,) * 6
    assert paper.table3()[0].variant == "SQCodec (6kbps)"


def test_labels_are_unique_and_marked() -> None:
    labels = [paper.label(row) for row in paper.table1()]
    assert len(set(labels)) == len(labels)
    assert all(label.endswith(" (paper)") for label in labels)
    assert {"SQCodec 6k (paper)", "SQCodec 1k5 (paper)", "SQCodec 12k 24kHz (paper)"} <= set(labels)
