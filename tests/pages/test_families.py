"""Lines, and the rate that places a point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import results_factory as make

from sqbench.pages import families
from sqbench.report.table import Entry, TableRow
from sqbench.store import reader
from sqbench.store.aggregate import rows


def lines(tmp_path: Path, *codecs: dict[str, Any]) -> dict[str, str]:
    records = [each for codec in codecs for each in make.full(codec, n=1)]
    make.write(tmp_path, make.run(codecs, n=1), records)
    return families.lines(rows(reader.load(tmp_path)))


def test_a_line_is_a_family_at_one_rate(tmp_path: Path) -> None:
    found = lines(
        tmp_path,
        make.describe("lc3-16k-16k", sample_rate=16000, weights="none"),
        make.describe("lc3-16k-32k", sample_rate=16000, weights="none"),
        make.describe("lc3-48k-48k", sample_rate=48000, weights="none"),
        make.describe("opus-6k", sample_rate=48000, weights="none"),
        make.describe("dac-24k@3", sample_rate=24000),
    )
    assert found == {
        "lc3-16k-16k": "lc3 16 kHz",
        "lc3-16k-32k": "lc3 16 kHz",
        "lc3-48k-48k": "lc3 48 kHz",
        "opus-6k": "opus",
        "dac-24k@3": "dac",
    }


def test_weights_and_versions_part_lines(tmp_path: Path) -> None:
    first = make.describe("net-6k", weights="official")
    second = make.describe("net-6k", weights="official", settings={"steps": 2})
    own = make.describe("net-12k", weights="file")
    found = lines(tmp_path, first, second, own)
    assert len(set(found.values())) == 3
    assert found["net-12k"] == "net file"
    assert "net official" in found.values()


@pytest.mark.parametrize(
    ("measured", "nominal", "filed"),
    [
        (16200.0, 16000.0, 16000.0),  # what padding adds
        (20000.0, 16000.0, 20000.0),
        (None, 16000.0, 16000.0),
        (500.0, None, 500.0),
        (0.0, 0.0, 0.0),
        (None, None, None),
    ],
)
def test_filed_by_measured_bits(
    measured: float | None, nominal: float | None, filed: float | None
) -> None:
    entries = {"measured_bps": Entry(value=measured), "bitrate_bps": Entry(value=nominal)}
    assert families.rate_of(TableRow(label="x", weights="", entries=entries)) == filed
