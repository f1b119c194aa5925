"""What codecs cost, both ways of counting."""

from __future__ import annotations

import json
from pathlib import Path

import pages_factory as pages
import pytest

from sqbench.complexity import known
from sqbench.complexity.run import build
from sqbench.errors import InputError
from sqbench.pages import cost
from sqbench.published import rows as paper
from sqbench.store.aggregate import rows


def test_every_row_of_the_paper_has_its_uniform_count() -> None:
    assert set(known.uniform_macs_g()) == {known.key(row) for row in paper.table1()}


@pytest.mark.slow
def test_the_kept_counts_are_what_is_counted() -> None:
    (row,) = build(["sqcodec-750"])
    assert row.published is not None
    kept = known.uniform_macs_g()[known.key(row.published)]
    assert kept == pytest.approx(row.macs / 1e9, abs=1e-4)


def test_both_conventions_and_seconds_of_the_run(tmp_path: Path) -> None:
    store = pages.store(tmp_path)
    found = {row.codec: cost.of_row(row, store, {}) for row in rows(store)}
    net, opus = found["sqcodec-6k"], found["opus-6k"]
    assert (net["macs_g"], net["paper_macs_g"], net["reason"]) == (74.29, 19.98, None)
    assert (opus["macs_g"], opus["paper_macs_g"]) == (None, None)
    assert opus["reason"] == "no network to count"
    assert opus["encode_rtf"] == pytest.approx(0.1 / 2.0)  # 0.1 s for each clip of 2 s
    assert not opus["measured"]


def test_measured_costs_come_first(tmp_path: Path) -> None:
    speed = {"encode_rtf": 0.01, "decode_rtf": 0.02, "peak_memory_mb": 300.0,
             "lookahead_s": "whole clip"}  # fmt: skip
    file = tmp_path / "cost.json"
    file.write_text(json.dumps({"codecs": [{"model": "opus-6k", "speed": speed}]}))
    store = pages.store(tmp_path / "results")
    told = cost.measured(file)
    (row,) = (row for row in rows(store) if row.codec == "opus-6k")
    found = cost.of_row(row, store, told)
    assert found["measured"]
    assert {name: found[name] for name in cost.SPEED} == speed


@pytest.mark.parametrize("text", ["", "[]", '{"codecs": [{}]}', None])
def test_a_file_of_something_else(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "cost.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InputError, match="sqbench complexity --speed"):
        cost.measured(file)
