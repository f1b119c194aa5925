"""Which records count when the data changed between runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import results_factory as make

from sqbench.store import aggregate
from sqbench.store import reader as store
from sqbench.store.record import Record
from sqbench.store.row import ResultRow
from sqbench.store.selection import in_force

A = make.describe("codec-a")
B = make.describe("codec-b")


def row_of(path: Path) -> ResultRow:
    (row,) = aggregate.rows(store.load(path))
    return row


def values(row: ResultRow) -> dict[str, float | None]:
    return {key: cell.value for key, cell in row.cells.items()}


def other_audio(n: int = 4, sha: str = "other-") -> list[Record]:
    """Records of the same ids, of other audio."""
    records = make.full(A, n=n, shift=1.0)
    return [again(r, audio_sha256=sha + r["utterance"]) for r in records]


def again(record: Record, **fields: Any) -> Record:
    """A record with other fields and therefore another key."""
    made: Any = {**record, **fields, "key": f"{record['key']} {sorted(fields.items())}"}
    return cast(Record, made)


def test_going_back_to_a_folder_shows_its_values_again(tmp_path: Path) -> None:
    theirs = other_audio()
    here = make.run([A], source="eval", location="/a/eval")
    there = make.run([A], source="eval", location="/b/eval", clips=make.selection(theirs))
    make.write(tmp_path, here, make.full(A, source="eval"))
    first = values(row_of(tmp_path))
    make.write(tmp_path, there, [again(r, source="eval") for r in theirs])
    second = row_of(tmp_path)
    make.write(tmp_path, here, [])
    last = row_of(tmp_path)
    assert values(second) != first == values(last)
    assert (second.location, second.elsewhere) == ("/b/eval", ("/a/eval",))
    assert (last.location, last.elsewhere) == ("/a/eval", ("/b/eval",))
    assert second.complete
    assert last.complete


def test_a_corrected_domain_moves_the_values(tmp_path: Path) -> None:
    records = [r for r in make.full(A) if r["dataset"] == "quesst"]
    make.write(tmp_path, make.run([A], clips=make.selection(records)), records)
    assert set(values(row_of(tmp_path))) == {"sdr", "mel", "stoi", "pesq"}
    clips = make.selection(records)
    for clip in clips.values():
        clip["category"], clip["domain"] = "audio", "music"
    make.write(tmp_path, make.run([A], clips=clips), [])
    row = row_of(tmp_path)
    assert set(row.cells) == {"audio_sdr", "audio_mel"}
    assert row.complete
    assert {r["domain"] for r in row.records} == {"music"}
    assert set(row.versions) == {"sdr", "mel"}


def test_another_dataset_regroups_the_values(tmp_path: Path) -> None:
    records = [r for r in make.full(A) if r["dataset"] == "quesst"]
    clips = make.selection(records)
    clips["quesst/00"]["dataset"] = "moved"
    make.write(tmp_path, make.run([A], clips=clips), records)
    sets = row_of(tmp_path).cells["sdr"].sets
    assert [(s.dataset, s.scored, s.expected) for s in sets] == [("moved", 1, 1), ("quesst", 3, 3)]


def test_a_deleted_file_leaves_the_table(tmp_path: Path) -> None:
    records = make.full(A)
    for record in records:
        if record["utterance"] == "quesst/01":
            record["audio_sha256"] = ""
            make.lose(record, "failed", "cannot be read")
    make.write(tmp_path, make.run([A], clips=make.selection(records)), records)
    bad = row_of(tmp_path)
    assert (bad.cells["sdr"].scored, bad.cells["sdr"].expected) == (7, 8)
    assert bad.cells["sdr"].sets[1].failed == 1
    assert "quesst/01" not in bad.hashes
    clips = make.selection(r for r in records if r["utterance"] != "quesst/01")
    make.write(tmp_path, make.run([A], clips=clips), [])
    healed = row_of(tmp_path)
    assert healed.complete
    assert healed.cells["sdr"].expected == 7
    assert healed.reasons == {}


def test_a_limited_run_does_not_shrink_the_table(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A]), make.full(A))
    before = values(row_of(tmp_path))
    make.write(tmp_path, make.run([A], n=1, total=12), [])
    row = row_of(tmp_path)
    assert values(row) == before
    assert (row.selected, row.total) == (12, 12)


def test_changed_audio_in_a_limited_run_counts(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A]), make.full(A))
    changed = other_audio(n=1)
    make.write(tmp_path, make.run([A], clips=make.selection(changed), total=12), changed)
    make.write(tmp_path, make.run([A], clips={}, total=12), [])
    cell = row_of(tmp_path).cells["audio_sdr"]
    expected = [make.value_of("sdr", f"esc50/{i}", 0.0 if i else 1.0) for i in range(4)]
    assert list(cell.sets[0].values) == expected


def test_audio_that_changed_and_is_not_measured_yet_is_missing(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A]), make.full(A))
    make.write(tmp_path, make.run([A], clips=make.selection(other_audio())), [])
    row = row_of(tmp_path)
    assert values(row)["sdr"] is None
    assert (row.cells["sdr"].scored, row.cells["sdr"].expected) == (0, 8)
    assert row.measured_bps is None


def test_limited_runs_add_up(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A], n=3, total=12), make.full(A, n=3))
    make.write(tmp_path, make.run([A], n=1, total=12), [])
    row = row_of(tmp_path)
    assert (row.selected, row.total, row.cells["sdr"].scored) == (9, 12, 6)


def test_a_limited_run_elsewhere_stands_alone(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A], location="/a"), make.full(A))
    make.write(tmp_path, make.run([A], location="/b", n=1, total=12), [])
    row = row_of(tmp_path)
    assert (row.selected, row.total, row.cells["sdr"].scored) == (3, 12, 2)


def test_metrics_asked_for_elsewhere_are_not_expected(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A], location="/b", metrics=["sdr", "pesq"]), [])
    make.write(tmp_path, make.run([A], location="/a", metrics=["sdr"]), make.full(A)[:2])
    assert set(row_of(tmp_path).cells) == {"sdr", "audio_sdr"}


@pytest.mark.parametrize(
    ("metric", "columns"),
    [("estoi", {"estoi"}), ("si-sdr", {"si-sdr", "audio_si-sdr"})],
)
def test_the_registry_says_where_a_metric_is_expected(
    tmp_path: Path, metric: str, columns: set[str]
) -> None:
    make.write(tmp_path, make.run([A], metrics=[metric]), [make.coding(A, "quesst/00")])
    row = row_of(tmp_path)
    assert set(row.cells) == columns
    assert row.cells[metric].expected == 8


def test_records_show_where_an_unknown_metric_is_expected(tmp_path: Path) -> None:
    records = [make.score(A, "quesst/00", "homemade", 1.0)]
    make.write(tmp_path, make.run([A], metrics=["homemade"]), records)
    row = row_of(tmp_path)
    assert {key: c.expected for key, c in row.cells.items()} == {"homemade": 8}
    clips = {u: {**c, "category": "audio"} for u, c in make.selection(records).items()}
    make.write(tmp_path, make.run([A], metrics=["homemade"], clips=clips), [])
    assert {k: c.value for k, c in row_of(tmp_path).cells.items()} == {"audio_homemade": 1.0}


def test_each_codec_has_its_own_selection(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A], n=2), make.full(A, n=2))
    make.write(tmp_path, make.run([B], n=3), make.full(B, n=3))
    assert [r.selected for r in aggregate.rows(store.load(tmp_path))] == [6, 9]


def test_records_without_a_usable_run_are_not_shown(tmp_path: Path) -> None:
    path = make.write(tmp_path, make.run([A]), make.full(A))
    content = make.run([A])
    del content["source"]["selection"]
    (path / "run.json").unlink()
    make.write(tmp_path, content, [])
    loaded = store.load(tmp_path)
    assert aggregate.rows(loaded) == []
    assert len(loaded.problems) == 2
    assert any("source.selection nothing" in problem for problem in loaded.problems)


def test_a_whole_run_is_the_base_whatever_was_before() -> None:
    def run(location: str, ids: str, total: int, sha: str) -> dict[str, Any]:
        clips = {u: {"sha256": sha} for u in ids}
        source = {"location": location, "selection": clips, "total": total, "selected": len(ids)}
        return {"source": source, "metrics": {"sdr": 1}}

    found = in_force(
        [run("x", "abcd", 4, "1"), run("x", "abc", 3, "2"), run("y", "z", 1, "3"),
         run("x", "a", 3, "4"), run("x", "ab", 3, "5")]
    )  # fmt: skip
    assert {u: c["sha256"] for u, c in found.clips.items()} == {"a": "5", "b": "5", "c": "2"}
    assert (found.location, found.elsewhere, found.total) == ("x", ("y",), 3)
