"""Damaged lines and run files are named, and cost themselves only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import results_factory as make

from sqbench.report import compare, render, table
from sqbench.store import parse
from sqbench.store import reader as store

A = make.describe("codec-a")
B = make.describe("codec-b")


def changed(content: Any, path: str, value: object) -> Any:
    """A copy with the field at ``path`` (``source.name``) replaced."""
    copy = json.loads(json.dumps(content))
    *parents, last = path.split(".")
    inner = copy
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return copy


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("bits", "x", "a number or null"),
        ("codec_id", [1], "a text"),
        ("category", None, "a text"),
        ("duration_s", "a", "a number or null"),
        ("metric_version", "1", "a whole number or null"),
        ("metric_version", 1.5, "a whole number or null"),
        ("key", None, "a text"),
        ("key", "", "key is empty"),
        ("status", {}, "failed or identical or ok or undefined"),
        ("kind", "scores", "coding or quantize or rated or score"),
        ("value", True, "a number or null"),
        ("value", 10**400, "too many digits"),
        ("metric", None, "without metric"),
        ("protocol", None, "without metric or protocol"),
        ("schema", "1", "this version reads"),
        ("utterance", "\ud800", "not UTF-8"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_wrong_field_costs_its_line(
    tmp_path: Path, field: str, value: object, wanted: str
) -> None:
    records = make.full(A) + make.full(B)
    path = make.write(tmp_path, make.run([A, B]), records) / "records.jsonl"
    lines = path.read_text().splitlines()
    bad = json.dumps({**json.loads(lines[1]), field: value})
    path.write_text("\n".join([lines[0], bad, *lines[1:]]) + "\n")
    loaded = store.load(tmp_path)
    assert loaded.records == records
    (problem,) = loaded.problems
    assert problem.startswith(f"{path}:2: skipped: ")
    assert wanted in problem
    render.render(table.build(loaded), "json")
    compare.build(loaded, "codec-a", "codec-b")


@pytest.mark.parametrize("value", ["1e999", "NaN", "-Infinity"])
def test_a_number_that_is_none_costs_its_line(value: str) -> None:
    line = json.dumps(make.score(A, "quesst/00", "sdr", 0.5)).replace("0.5", value)
    with pytest.raises(ValueError, match="is not a"):
        parse.record(line.encode())


def test_whole_numbers_are_numbers() -> None:
    line = json.dumps(make.score(A, "quesst/00", "sdr", 3)).encode()
    found = parse.record(line)
    assert found["kind"] == "score"
    assert found["value"] == 3


def test_deep_nesting_is_no_crash() -> None:
    with pytest.raises(ValueError, match="deeply"):
        parse.record(b"[" * 200_000)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("source", None, "source null"),
        ("source", [], "source []"),
        ("source.name", 3, "source.name 3"),
        ("source.location", None, "source.location null"),
        ("source.total", "9", 'source.total "9"'),
        ("source.selected", None, "source.selected null"),
        ("source.expected", {"x": 3}, "source.expected.x 3"),
        ("source.selection", None, "source.selection null"),
        ("source.selection", {"a": 1}, "source.selection.a 1"),
        ("source.selection", {"a": {"sha256": ""}}, "source.selection.a.dataset nothing"),
        ("codecs", None, "codecs null"),
        ("codecs", ["a"], 'codecs.0 "a", expected an object with codec_id, name'),
        ("codecs", [{"codec_id": [1], "name": "a"}], "codecs.0.codec_id [1]"),
        ("codecs", [{"codec_id": "a"}], "codecs.0.name nothing"),
        ("metrics", ["sdr"], "metrics"),
        ("metrics", {"sdr": "1"}, "metrics.sdr"),
        ("started", 5, "started 5"),
        ("protocol", None, "protocol null"),
        ("run_id", "../x", "the name of a folder"),
        ("schema", None, "schema None"),
    ],
)
def test_a_wrong_run_file_is_left_out(
    tmp_path: Path, field: str, value: object, named: str
) -> None:
    make.write(tmp_path, make.run([A, B]), make.full(A) + make.full(B))
    path = make.write(tmp_path, make.run([A]), make.full(A, shift=1.0)) / "run.json"
    path.write_text(json.dumps(changed(json.loads(path.read_text()), field, value)))
    loaded = store.load(tmp_path)
    (problem,) = loaded.problems
    assert problem.startswith(f"{path}: cannot be used (")
    assert named in problem
    assert len(table.build(loaded).rows) == 2
    compare.build(loaded, "codec-a", "codec-b")


def test_a_run_file_of_three_words_is_no_crash(tmp_path: Path) -> None:
    path = make.write(tmp_path, make.run([A]), make.full(A)) / "run.json"
    path.write_text('{"schema":1,"source":null}')
    assert [run["status"] for run in store.load(tmp_path).runs] == ["unknown"]
