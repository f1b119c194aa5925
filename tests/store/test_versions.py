"""Several versions of a codec under one name, and keeping house among them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import results_factory as make

from sqbench.errors import InputError
from sqbench.report import compare, table
from sqbench.store import manage, reader


def versions_of(name: str, count: int, weights: str = "none") -> list[dict[str, Any]]:
    return [make.describe(name, weights=weights, settings={"held": str(i)}) for i in range(count)]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three versions of ``mine``, one after the other, and one of ``codec-b``."""
    out = tmp_path / "out"
    for hour, codec in enumerate([*versions_of("mine", 3), make.describe("codec-b")]):
        run = make.run([codec], started=f"2026-01-01T0{hour}:00:00", run_id=f"run-{hour}")
        make.write(out, run, make.full(codec, shift=hour))
    return out


def test_the_newest_version_stands_for_the_others(results: Path) -> None:
    built = table.build(reader.load(results))
    assert [row.label.partition("@")[0] for row in built.rows] == ["mine", "codec-b"]
    assert any("Older versions not shown: mine 2" in note for note in built.notes)
    newest = versions_of("mine", 3)[2]["codec_id"]
    assert built.rows[0].label == f"mine@{newest[:8]}"
    assert len(table.build(reader.load(results), all_versions=True).rows) == 4


def test_other_weights_are_no_older_version(tmp_path: Path) -> None:
    for number, codec in enumerate(
        [
            make.describe("mine", weights="bundled"),
            make.describe("mine", weights="runs/mine", settings={"held": "other"}),
        ]
    ):
        run = make.run([codec], started=f"2026-01-01T0{number}:00:00", run_id=f"run-{number}")
        make.write(tmp_path, run, make.full(codec))
    assert len(table.build(reader.load(tmp_path)).rows) == 2


def test_codecs_are_chosen_by_name_and_pattern(results: Path) -> None:
    store = reader.load(results)
    assert len(table.build(store, codecs=["codec-*"]).rows) == 1
    oldest = versions_of("mine", 3)[0]["codec_id"]
    assert len(table.build(store, codecs=[oldest]).rows) == 1
    with pytest.raises(InputError, match="no results of it"):
        table.build(store, codecs=["nothing-*"])


def test_compare_takes_the_newest(results: Path) -> None:
    store = reader.load(results)
    newest = versions_of("mine", 3)[2]["codec_id"]
    assert compare.build(store, "mine", "codec-b").a == f"mine@{newest[:8]}"
    with pytest.raises(InputError, match="3 of that name"):
        compare.build(store, "mine", "codec-b", all_versions=True)


def test_a_result_beats_a_failure_whichever_is_newer(tmp_path: Path) -> None:
    """Two machines of which one could not: their folders merge to what is known."""
    codec = make.describe()
    for order in ((0, 1), (1, 0)):
        out = tmp_path / str(order[0])
        good, bad = make.full(codec), make.full(codec)
        for record in bad:
            make.lose(record, "failed", "out of memory")
        for hour, records in zip(order, (good, bad), strict=True):
            run = make.run([codec], started=f"2026-01-01T0{hour}:00:00", run_id=f"run-{hour}")
            make.write(out, run, records)
        assert {record["status"] for record in reader.load(out).records} == {"ok"}


def test_two_states_of_a_metric_are_not_averaged(tmp_path: Path) -> None:
    codec = make.describe()
    first = make.full(codec)
    second = [r for r in make.full(codec, shift=9.0) if r["utterance"].endswith("00")]
    for record in second:
        if record["metric"] == "pesq":
            record["metric_identity"], record["key"] = "edited", record["key"] + "-edited"
    for hour, records in enumerate((first, second)):
        run = make.run([codec], started=f"2026-01-01T0{hour}:00:00", run_id=f"run-{hour}")
        make.write(tmp_path, run, records)
    built = table.build(reader.load(tmp_path))
    (row,) = built.rows
    expected = [make.value_of("pesq", f"{name}/00", 9.0) for name in ("librispeech", "quesst")]
    assert row.entries["pesq"].value == pytest.approx(sum(expected) / 2)
    assert not row.entries["pesq"].complete
    notes = [note for section in built.sections for note in section.notes]
    assert any("PESQ has changed since 6 clips" in note for note in notes)


def test_list_and_drop(results: Path) -> None:
    there = manage.versions(reader.load(results))
    assert [(v.codec, v.newest) for v in there] == [
        ("codec-b", True), ("mine", False), ("mine", False), ("mine", True),
    ]  # fmt: skip
    deleted = manage.drop(results, ["mine"], older=True)
    assert len(deleted) == 2
    assert [v.codec for v in manage.versions(reader.load(results))] == ["codec-b", "mine"]
    manage.drop(results, ["m*"])
    assert [v.codec for v in manage.versions(reader.load(results))] == ["codec-b"]
    with pytest.raises(InputError, match="mine"):
        manage.drop(results, ["mine"])


def test_drop_keeps_the_others_of_a_run_and_lines_it_cannot_read(tmp_path: Path) -> None:
    a, b = make.describe("a"), make.describe("b")
    folder = make.write(tmp_path, make.run([a, b]), make.full(a) + make.full(b))
    with open(folder / "records.jsonl", "ab") as handle:
        handle.write(b"half a li")
    manage.drop(tmp_path, ["a"])
    store = reader.load(tmp_path)
    assert {record["codec"] for record in store.records} == {"b"}
    assert (folder / "records.jsonl").read_bytes().endswith(b"half a li")
    assert [codec["name"] for codec in store.runs[0]["codecs"]] == ["b"]


def test_merge_names_equal_audio_alike(tmp_path: Path) -> None:
    """A machine that knows the clips by other ids: one table, pairs that compare."""
    a, b = make.describe("a"), make.describe("b")
    make.write(tmp_path / "one", make.run([a], run_id="run-a"), make.full(a))
    theirs = make.full(b)
    for record in theirs:
        record["utterance"] = f"tmp/{record['utterance']}"
    clips = make.selection(theirs)
    make.write(tmp_path / "two", make.run([b], run_id="run-b", clips=clips), theirs)
    apart = reader.load([tmp_path / "one", tmp_path / "two"])
    assert all(metric.paired.n for metric in compare.build(apart, "a", "b").metrics)
    done = manage.merge([tmp_path / "one", tmp_path / "two"], tmp_path / "all")
    assert done == {"runs": 2, "records": len(theirs) * 2, "renamed": 12, "joined": 0}
    merged = reader.load(tmp_path / "all")
    assert {r["utterance"] for r in merged.records} == {r["utterance"] for r in make.full(a)}
    assert not merged.problems
    with pytest.raises(InputError, match="there already"):
        manage.merge([tmp_path / "one"], tmp_path / "all")


def test_compare_of_nothing_in_common_is_an_error(tmp_path: Path) -> None:
    a, b = make.describe("a"), make.describe("b")
    make.write(tmp_path, make.run([a], run_id="run-a"), make.full(a))
    theirs = make.full(b)
    for record in theirs:
        record["utterance"] = f"other/{record['utterance']}"
        record["audio_sha256"] = f"other {record['audio_sha256']}"
    run = make.run([b], run_id="run-b", clips=make.selection(theirs))
    make.write(tmp_path, run, theirs)
    with pytest.raises(InputError, match="clips that both have results of"):
        compare.build(reader.load(tmp_path), "a", "b")


def test_the_command(results: Path, tmp_path: Path) -> None:
    def sqbench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sqbench", "results", *map(str, arguments)],
            capture_output=True, text=True,
        )  # fmt: skip

    listed = sqbench("list", results)
    assert listed.stdout.count("older") == 2
    assert sqbench("drop", results).returncode == 1
    assert "52 records deleted" in sqbench("drop", results, "--older").stderr
    assert sqbench("merge", results, "--to", tmp_path / "copy").returncode == 0
    assert sqbench("list", tmp_path / "copy").stdout == sqbench("list", results).stdout
