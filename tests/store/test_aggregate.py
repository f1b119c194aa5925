"""Macro means, counts, failures, labels."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import results_factory as make

from sqbench.store import aggregate
from sqbench.store import reader as store
from sqbench.store.reader import Store
from sqbench.store.record import Record
from sqbench.store.row import ResultRow
from sqcodec.errors import InputError

A = make.describe("codec-a")
B = make.describe("codec-b")


def only_row(loaded: Store, **options: Any) -> ResultRow:
    (row,) = aggregate.rows(loaded, **options)
    return row


def build(tmp_path: Path, records: list[Record], **fields: Any) -> Store:
    make.write(tmp_path, make.run([A], **fields), records)
    return store.load(tmp_path)


def test_macro_mean_weighs_datasets_not_files(tmp_path: Path) -> None:
    records = [make.score(A, f"librispeech/{i}", "sdr", 10.0) for i in range(9)]
    records += [make.score(A, "quesst/0", "sdr", 0.0)]
    records += [make.score(A, "esc50/0", "sdr", -3.0)]
    row = only_row(build(tmp_path, records, clips=make.selection(records), metrics=["sdr"]))
    assert row.cells["sdr"].value == 5.0
    assert row.cells["audio_sdr"].value == -3.0
    assert row.complete
    assert {s.dataset: s.mean for s in row.cells["sdr"].sets} == {
        "librispeech": 10.0,
        "quesst": 0.0,
    }


def test_six_columns_equal_a_plain_computation(tmp_path: Path) -> None:
    records = make.full(A, n=7)
    row = only_row(build(tmp_path, records, n=7))
    assert list(row.cells) == ["sdr", "mel", "stoi", "pesq", "audio_sdr", "audio_mel"]
    for key, cell in row.cells.items():
        category = "audio" if key.startswith("audio_") else "speech"
        metric = key.removeprefix("audio_")
        means = [
            np.mean([r["value"] for r in records if r["dataset"] == d and r["metric"] == metric])
            for d, kind in make.DATASETS.items()
            if kind == category
        ]
        assert cell.value == pytest.approx(np.mean(means), abs=1e-14)
        assert cell.scored == cell.expected == 7 * len(means)


def test_values_do_not_depend_on_the_order_of_records(tmp_path: Path) -> None:
    records = make.full(A, n=9)
    mixed = random.Random(0).sample(records, len(records))
    one = only_row(build(tmp_path / "one", records, n=9))
    two = only_row(build(tmp_path / "two", mixed, n=9))
    assert {k: c.value for k, c in one.cells.items()} == {k: c.value for k, c in two.cells.items()}
    assert one.measured_bps == two.measured_bps


def test_two_folders_merge_to_the_whole(tmp_path: Path) -> None:
    records = make.full(A, n=6)
    whole = only_row(build(tmp_path / "whole", records, n=6))
    make.write(tmp_path / "x", make.run([A], n=6), records[::2])
    make.write(tmp_path / "y", make.run([A], n=6), records[1::2])
    half = only_row(store.load(tmp_path / "x"))
    merged = only_row(store.load([tmp_path / "x", tmp_path / "y"]))
    assert not half.complete
    assert merged.complete
    assert {k: c.value for k, c in merged.cells.items()} == {
        k: c.value for k, c in whole.cells.items()
    }


def test_missing_undefined_and_failed_lower_the_count_not_the_mean(tmp_path: Path) -> None:
    records = [
        make.score(A, "librispeech/00", "pesq", 3.0),
        make.score(A, "librispeech/01", "pesq", None, status="undefined", reason="no utterances"),
        make.score(A, "librispeech/02", "pesq", None, status="failed", reason="worker died"),
        make.score(A, "quesst/00", "pesq", 1.0),
    ]
    row = only_row(build(tmp_path, records, n=4, metrics=["pesq"]))
    cell = row.cells["pesq"]
    assert cell.value == 2.0
    assert (cell.scored, cell.expected, cell.complete) == (2, 8, False)
    (libri, quesst) = cell.sets
    assert (libri.undefined, libri.failed, quesst.failed) == (1, 1, 0)
    assert row.reasons == {
        ("pesq", "undefined", "no utterances"): 1,
        ("pesq", "failed", "worker died"): 1,
    }


def test_expected_is_what_the_selection_has(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A], n=2), make.full(A, n=2))
    assert only_row(store.load(tmp_path)).complete
    make.write(tmp_path, make.run([A], n=5), make.full(A, n=3))
    row = only_row(store.load(tmp_path))
    assert (row.cells["sdr"].scored, row.cells["sdr"].expected) == (6, 10)
    make.write(tmp_path, make.run([A], n=1, total=15), [])
    assert only_row(store.load(tmp_path)).cells["sdr"].expected == 10
    make.write(tmp_path, make.run([A], n=1), [])
    assert only_row(store.load(tmp_path)).cells["sdr"].expected == 2


def test_another_codec_or_source_does_not_raise_what_is_expected(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A], n=2), make.full(A, n=2))
    make.write(tmp_path, make.run([B], n=5), make.full(B, n=5))
    make.write(tmp_path, make.run([A], n=5, source="other"), make.full(A, n=5, source="other"))
    assert all(row.complete for row in aggregate.rows(store.load(tmp_path)))


def test_a_dataset_of_two_categories_is_expected_once(tmp_path: Path) -> None:
    records = [make.score(A, f"librispeech/{i}", "sdr", float(i)) for i in range(4)]
    records[3]["category"] = "audio"
    row = only_row(build(tmp_path, records, clips=make.selection(records), metrics=["sdr"]))
    assert row.complete
    assert (row.cells["sdr"].value, row.cells["audio_sdr"].value) == (1.0, 3.0)


def test_identical_counts_as_scored_and_stays_out_of_the_mean(tmp_path: Path) -> None:
    records = make.full(A, n=3)
    for record in records:
        same = record["dataset"] == "esc50" or record["utterance"] == "librispeech/00"
        if same and record["metric"] == "sdr":
            make.lose(record, "identical", "identical")
    row = only_row(build(tmp_path, records, n=3))
    assert row.complete
    sdr, audio = row.cells["sdr"], row.cells["audio_sdr"]
    assert (sdr.identical, sdr.scored) == (1, 6)
    rest = [make.value_of("sdr", f"librispeech/{i}") for i in (1, 2)]
    whole = [make.value_of("sdr", f"quesst/{i}") for i in range(3)]
    assert sdr.value == pytest.approx((np.mean(rest) + np.mean(whole)) / 2)
    assert (audio.value, audio.identical, audio.scored) == (None, 3, 3)


def test_drop_leaves_a_dataset_out_of_its_whole_category(tmp_path: Path) -> None:
    records = make.full(A, n=3)
    for record in records:
        if record["utterance"] == "quesst/01" and record["metric"] == "stoi":
            make.lose(record, "undefined", "too short")
    loaded = build(tmp_path, records, n=3)
    kept, dropped = only_row(loaded), only_row(loaded, failures="drop")
    for metric in ("sdr", "mel", "stoi", "pesq"):
        libri = next(s for s in kept.cells[metric].sets if s.dataset == "librispeech")
        assert dropped.cells[metric].value == libri.mean
        assert not dropped.cells[metric].complete
        lost = next(s for s in dropped.cells[metric].sets if s.dataset == "quesst")
        assert lost.dropped == "stoi has 2 of 3"
    assert dropped.cells["audio_sdr"].value == kept.cells["audio_sdr"].value
    assert dropped.cells["audio_sdr"].complete


def test_drop_with_no_dataset_left_has_no_value(tmp_path: Path) -> None:
    records = [r for r in make.full(A, n=3) if r["utterance"] != "esc50/02"]
    row = only_row(build(tmp_path, records, n=3), failures="drop")
    assert row.cells["audio_sdr"].value is None
    assert row.cells["audio_mel"].value is None
    assert row.cells["sdr"].value is not None


@pytest.mark.parametrize(("metric", "lost"), [("stoi", True), ("sdr", False)])
def test_drop_follows_the_scripts_on_negative_means(
    tmp_path: Path, metric: str, lost: bool
) -> None:
    records = make.full(A, n=3)
    for record in records:
        if record["dataset"] == "quesst" and record["metric"] == metric:
            record["value"] = -0.5
    row = only_row(build(tmp_path, records, n=3), failures="drop")
    sets = {s.dataset: s.dropped for s in row.cells["pesq"].sets}
    assert sets == {"librispeech": None, "quesst": "stoi has a negative mean" if lost else None}


def test_a_metric_not_asked_for_is_absent_not_incomplete(tmp_path: Path) -> None:
    records = [r for r in make.full(A) if r["metric"] in (None, "sdr")]
    row = only_row(build(tmp_path, records, metrics=["sdr"]))
    assert set(row.cells) == {"sdr", "audio_sdr"}
    assert row.complete


def test_an_extra_metric_gets_its_own_column(tmp_path: Path) -> None:
    records = make.full(A)
    records += [make.score(A, f"librispeech/{i:02d}", "si-sdr", 5.0) for i in range(4)]
    records += [make.score(A, f"quesst/{i:02d}", "si-sdr", 7.0) for i in range(4)]
    row = only_row(build(tmp_path, records))
    assert row.cells["si-sdr"].value == 6.0
    assert list(row.cells)[:5] == ["sdr", "mel", "stoi", "pesq", "si-sdr"]


def test_protocols_are_never_mixed(tmp_path: Path) -> None:
    strict = make.full(A, shift=1.0, protocol="slt2024-strict")
    make.write(tmp_path, make.run([A]), make.full(A))
    make.write(tmp_path, make.run([A], protocol="slt2024-strict", n=5), strict)
    default, other = aggregate.rows(store.load(tmp_path))
    assert (default.protocol, other.protocol) == ("slt2024", "slt2024-strict")
    assert default.cells["sdr"].value != other.cells["sdr"].value
    assert default.complete
    assert (other.cells["sdr"].scored, other.cells["sdr"].expected) == (8, 10)


def test_the_newest_version_of_a_metric_counts(tmp_path: Path) -> None:
    records = make.full(A, n=2)
    newer = [
        make.score(A, r["utterance"], "pesq", 4.0, version=2)
        for r in records
        if r["metric"] == "pesq"
    ]
    row = only_row(build(tmp_path, [*newer, *records], n=2))
    assert row.cells["pesq"].value == 4.0
    assert row.cells["pesq"].scored == 4
    assert row.versions["pesq"] == 2


def test_changed_audio_counts_once_with_the_newer_value(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A], n=2), make.full(A, n=2))
    changed = [make.score(A, "esc50/00", m, 1.0, audio="other") for m in ("sdr", "mel")]
    clips = make.selection([*make.full(A, n=2), *changed])
    make.write(tmp_path, make.run([A], clips=clips), changed)
    cell = only_row(store.load(tmp_path)).cells["audio_sdr"]
    assert cell.scored == 2
    assert cell.sets[0].values[0] == 1.0


def test_measured_bitrate_is_bits_over_seconds(tmp_path: Path) -> None:
    records = [
        make.coding(A, "librispeech/00", bits=1000.0, seconds=1.0),
        make.coding(A, "librispeech/01", bits=5000.0, seconds=3.0),
        make.coding(A, "gone/00", bits=9000.0, seconds=1.0),
        make.coding(A, "librispeech/02", bits=None, seconds=None, status="failed", reason="x"),
    ]
    assert only_row(build(tmp_path, records)).measured_bps == 1500.0


def test_a_codec_that_failed_throughout_has_a_row(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A, B], n=1), make.full(A, n=1))
    failed = [make.coding(B, "librispeech/00", bits=None, status="failed", reason="no weights")]
    make.write(tmp_path, make.run([B], n=1), failed)
    _, row = aggregate.rows(store.load(tmp_path))
    assert (row.codec, row.cells["sdr"].scored, row.cells["sdr"].expected) == ("codec-b", 0, 2)
    assert row.reasons == {("coding", "failed", "no weights"): 1}


def test_same_name_other_weights_is_told_apart(tmp_path: Path) -> None:
    other = make.describe("codec-a", settings={"k": 1})
    make.write(tmp_path, make.run([A, B, other]), make.full(A) + make.full(B) + make.full(other))
    labels = [row.label for row in aggregate.rows(store.load(tmp_path))]
    assert labels == [f"codec-a@{A['codec_id'][:8]}", "codec-b", f"codec-a@{other['codec_id'][:8]}"]


def test_description_keeps_what_an_older_run_knew(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A]), make.full(A))
    make.write(tmp_path, make.run([{**A, "macs_g": None, "params_m": 12.0}]), [])
    row = only_row(store.load(tmp_path))
    assert (row.number("macs_g"), row.number("params_m")) == (19.98, 12.0)
    assert row.number("nothing") is None


def test_unknown_handling_of_failures_is_refused(tmp_path: Path) -> None:
    options: dict[str, Any] = {"failures": "zero"}
    with pytest.raises(InputError, match="mean or drop"):
        aggregate.rows(Store(), **options)


def test_an_empty_store_has_no_rows() -> None:
    assert aggregate.rows(Store()) == []
