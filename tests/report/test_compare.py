"""Paired comparison of two codecs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import results_factory as make

from sqbench.report import compare
from sqbench.store import reader as store
from sqbench.store.reader import Store
from sqbench.store.record import Record
from sqcodec.errors import InputError

A = make.describe("codec-a")
B = make.describe("codec-b")


def build(tmp_path: Path, records: list[Record]) -> Store:
    make.write(tmp_path, make.run([A, B]), records)
    return store.load(tmp_path)


def of(comparison: compare.Comparison, key: str) -> compare.ComparedMetric:
    (found,) = (m for m in comparison.metrics if m.column.key == key)
    return found


def test_a_constant_shift_is_found_in_every_metric(tmp_path: Path) -> None:
    loaded = build(tmp_path, make.full(A, shift=1.0) + make.full(B))
    found = compare.build(loaded, "codec-a", "codec-b")
    assert [m.column.key for m in found.metrics] == [
        "sdr",
        "mel",
        "stoi",
        "pesq",
        "audio_sdr",
        "audio_mel",
    ]
    for m, shift in zip(found.metrics, (2.0, 0.1, 0.02, 0.3, 2.0, 0.1), strict=True):
        assert m.paired.difference == pytest.approx(shift)
        assert m.paired.interval.low == pytest.approx(shift)
        assert m.paired.win_rate == (0.0 if m.column.direction == "lower" else 1.0)
        assert m.paired.n == (4 if m.column.key.startswith("audio") else 8)
        assert (m.value_a or 0.0) - (m.value_b or 0.0) == pytest.approx(shift)


def test_swapping_swaps_everything(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    records = make.full(A) + make.full(B)
    for record in records:
        if record["kind"] == "score":
            record["value"] = float(rng.normal())
    loaded = build(tmp_path, records)
    one, two = (
        compare.build(loaded, "codec-a", "codec-b"),
        compare.build(loaded, "codec-b", "codec-a"),
    )
    for m, w in zip(one.metrics, two.metrics, strict=True):
        assert m.paired.difference == pytest.approx(-(w.paired.difference or 0.0))
        assert m.paired.interval.low == pytest.approx(-(w.paired.interval.high or 0.0))
        assert (m.paired.wins, m.paired.losses) == (w.paired.losses, w.paired.wins)
        assert (m.value_a, m.value_b) == (w.value_b, w.value_a)


def test_pairs_are_by_id_and_need_both_values(tmp_path: Path) -> None:
    ours, theirs = make.full(A, shift=1.0), list(reversed(make.full(B)))
    ours = [r for r in ours if r["utterance"] != "quesst/00"]
    for record in theirs:
        if record["utterance"] == "quesst/01" and record["metric"] == "sdr":
            make.lose(record, "identical", "identical")
    found = compare.build(build(tmp_path, ours + theirs), "codec-a", "codec-b")
    sdr = of(found, "sdr")
    assert (sdr.paired.n, sdr.left_out) == (6, 2)
    assert sdr.paired.difference == pytest.approx(2.0)
    assert of(found, "pesq").paired.n == 7
    assert any("SDR 2, MEL 1" in note for note in found.notes)


def test_different_audio_is_no_pair(tmp_path: Path) -> None:
    theirs = [r for r in make.full(B) if r["utterance"] != "esc50/00"]
    theirs += [make.score(B, "esc50/00", m, 99.0, audio="other") for m in ("sdr", "mel")]
    make.write(tmp_path, make.run([A]), make.full(A))
    make.write(tmp_path, make.run([B], clips=make.selection(theirs)), theirs)
    found = compare.build(store.load(tmp_path), "codec-a", "codec-b")
    assert of(found, "audio_sdr").paired.n == 3
    assert of(found, "audio_sdr").paired.difference == 0.0
    assert any("audio of 1 utterances differs" in note for note in found.notes)


def test_one_pair_a_dataset_has_no_interval(tmp_path: Path) -> None:
    loaded = build(tmp_path, make.full(A, n=1) + make.full(B, n=1))
    sdr = of(compare.build(loaded, "codec-a", "codec-b"), "sdr")
    assert sdr.paired.interval.low is None
    assert sdr.paired.n == 2


def test_labels_and_ids_name_a_codec_where_names_do_not(tmp_path: Path) -> None:
    other = make.describe("codec-a", settings={"k": 1})
    make.write(tmp_path, make.run([A, other]), make.full(A) + make.full(other, shift=1.0))
    loaded = store.load(tmp_path)
    with pytest.raises(InputError, match="Name one of codec-a@"):
        compare.build(loaded, "codec-a", other["codec_id"])
    label = f"codec-a@{A['codec_id'][:8]}"
    found = compare.build(loaded, label, other["codec_id"])
    assert found.a == label
    assert of(found, "sdr").paired.difference == pytest.approx(-2.0)


def test_what_cannot_be_compared_says_why(tmp_path: Path) -> None:
    loaded = build(tmp_path, make.full(A))
    with pytest.raises(InputError, match="no results of codec-c"):
        compare.build(loaded, "codec-a", "codec-c")
    with pytest.raises(InputError, match="codec-a twice"):
        compare.build(loaded, "codec-a", "codec-a")
    with pytest.raises(InputError, match="sqbench run"):
        compare.build(Store(), "codec-a", "codec-b")


def test_several_sources_need_a_choice(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A, B]), make.full(A) + make.full(B))
    elsewhere = make.full(A, source="other", shift=1.0) + make.full(B, source="other")
    make.write(tmp_path, make.run([A, B], source="other"), elsewhere)
    loaded = store.load(tmp_path)
    with pytest.raises(InputError, match=r"mini \(slt2024\), other \(slt2024\)"):
        compare.build(loaded, "codec-a", "codec-b")
    found = compare.build(loaded, "codec-a", "codec-b", source="other")
    assert of(found, "sdr").paired.difference == pytest.approx(2.0)


def test_no_source_in_common(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A]), make.full(A))
    make.write(tmp_path, make.run([B], source="other"), make.full(B, source="other"))
    with pytest.raises(InputError, match="no source in common"):
        compare.build(store.load(tmp_path), "codec-a", "codec-b")
