"""Which rows, values, marks and notes a table has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import results_factory as make

from sqbench.published import rows as paper
from sqbench.report import render, table
from sqbench.store import reader as store
from sqbench.store.reader import Store
from sqbench.store.record import Record
from sqcodec.errors import InputError

A = make.describe("codec-a", bitrate_bps=5500.0)
B = make.describe("codec-b", bitrate_bps=6000.0)
IDENTITY = make.describe("identity", weights="none", bitrate_bps=None)

SCORES = ("sdr", "mel", "stoi", "pesq", "audio_sdr", "audio_mel")


def build(tmp_path: Path, records: list[Record], *codecs: dict[str, Any], n: int = 4) -> Store:
    make.write(tmp_path, make.run(codecs or (A,), n=n), records)
    return store.load(tmp_path)


def row(built: table.Table, label: str) -> table.TableRow:
    (found,) = (r for r in built.rows if r.label == label)
    return found


def best(built: table.Table) -> dict[str, set[str]]:
    return {r.label: {k for k, e in r.entries.items() if e.best} for r in built.rows}


def notes(built: table.Table) -> str:
    return "\n".join((*built.sections[0].notes, *built.notes))


def lose(records: list[Record], utterance: str, metric: str, reason: str = "too short") -> None:
    for record in records:
        if record["utterance"] == utterance and record["metric"] == metric:
            make.lose(record, "undefined", reason)


def test_nothing_found_says_what_to_do() -> None:
    with pytest.raises(InputError, match="sqbench run"):
        table.build(Store())


def test_unreadable_results_are_not_called_nothing(tmp_path: Path) -> None:
    path = make.write(tmp_path, make.run([A]), make.full(A))
    (path / "records.jsonl").write_text("{torn\n{torn\n")
    with pytest.raises(InputError, match="2 unreadable lines"):
        table.build(store.load(tmp_path))


def test_best_follows_each_metrics_direction(tmp_path: Path) -> None:
    built = table.build(build(tmp_path, make.full(A) + make.full(B, shift=1.0), A, B))
    assert best(built) == {
        "codec-a": {"mel", "audio_mel"},
        "codec-b": {"sdr", "stoi", "pesq", "audio_sdr"},
    }


def test_ties_are_both_best(tmp_path: Path) -> None:
    built = table.build(build(tmp_path, make.full(A) + make.full(B), A, B))
    assert best(built) == {"codec-a": set(SCORES), "codec-b": set(SCORES)}


def test_control_rows_and_the_paper_are_never_best(tmp_path: Path) -> None:
    records = make.full(A) + make.full(B, shift=-1.0) + make.full(IDENTITY, shift=9.0)
    built = table.build(build(tmp_path, records, A, B, IDENTITY), paper=True)
    assert {label for label, keys in best(built).items() if keys} == {"codec-a", "codec-b"}
    assert "leaves out the control rows: identity" in notes(built)


def test_one_row_has_nobody_to_beat(tmp_path: Path) -> None:
    built = table.build(build(tmp_path, make.full(A) + make.full(IDENTITY), A, IDENTITY))
    assert not any(best(built).values())


def test_a_row_that_lost_the_hard_clip_is_not_best(tmp_path: Path) -> None:
    lucky, fair = make.full(A, shift=1.0), make.full(B)
    lose(lucky, "quesst/02", "pesq")
    built = table.build(build(tmp_path, lucky + fair, A, B))
    assert "pesq" not in best(built)["codec-a"]
    assert "sdr" in best(built)["codec-a"]


def test_clips_that_nobody_has_do_not_hinder(tmp_path: Path) -> None:
    one, two = make.full(A, shift=1.0), make.full(B)
    for records in (one, two):
        lose(records, "quesst/02", "pesq")
    assert "pesq" in best(table.build(build(tmp_path, one + two, A, B)))["codec-a"]


def test_incomplete_cells_are_marked_and_explained(tmp_path: Path) -> None:
    records = make.full(A)
    lose(records, "quesst/02", "pesq", "no utterances detected")
    records = [r for r in records if r["utterance"] != "esc50/00"]
    built = table.build(build(tmp_path, records))
    entries = row(built, "codec-a").entries
    assert {key for key in SCORES if not entries[key].complete} == {
        "pesq",
        "audio_sdr",
        "audio_mel",
    }
    assert "† codec-a: PESQ 7 of 8, audio SDR 3 of 4, audio MEL 3 of 4 scored" in notes(built)
    assert "undefined (PESQ 1): no utterances detected" in notes(built)
    assert "2 not computed yet" in notes(built)


def test_drop_is_marked_and_explained(tmp_path: Path) -> None:
    records = make.full(A)
    lose(records, "quesst/02", "pesq")
    built = table.build(build(tmp_path, records), failures="drop")
    entries = row(built, "codec-a").entries
    assert all(entries[key].dropped for key in ("sdr", "mel", "stoi", "pesq"))
    assert not entries["audio_sdr"].dropped
    assert "‡ codec-a: datasets dropped" in notes(built)
    assert "quesst (pesq has 3 of 4)" in notes(built)


def test_identical_shows_as_such_with_its_count(tmp_path: Path) -> None:
    records = make.full(IDENTITY)
    for record in records:
        if record["metric"] == "sdr":
            make.lose(record, "identical", "identical")
    built = table.build(build(tmp_path, records, IDENTITY))
    entry = row(built, "identity").entries["sdr"]
    assert (entry.value, entry.text, entry.complete) == (None, "identical", True)
    assert "identity: reproduced sample for sample" in notes(built)
    assert "SDR 8 of 8, audio SDR 4 of 4" in notes(built)


def test_rows_sort_by_bitrate_unless_told(tmp_path: Path) -> None:
    records = make.full(IDENTITY) + make.full(B, shift=-1.0) + make.full(A)
    loaded = build(tmp_path, records, IDENTITY, B, A)

    def order(sort: str | None) -> list[str]:
        return [r.label for r in table.build(loaded, sort=sort).rows]

    assert order(None) == ["codec-a", "codec-b", "identity"]
    assert order("model") == ["codec-a", "codec-b", "identity"]
    assert order("sdr") == ["identity", "codec-a", "codec-b"]
    assert order("mel") == ["codec-b", "identity", "codec-a"]
    with pytest.raises(InputError, match="one of model, bitrate_bps"):
        order("quality")


def test_paper_rows_are_table_1(tmp_path: Path) -> None:
    built = table.build(build(tmp_path, make.full(A)), paper=True)
    published = {r.label: r for r in built.rows if r.published}
    assert len(published) == 21
    for source in paper.table1():
        entries = published[paper.label(source)].entries
        for key in ("bitrate_bps", "num_codebooks", "macs_g", "params_m", *SCORES):
            assert entries[key].value == getattr(source, key)
        assert entries["measured_bps"].value is None
    assert [r.published for r in built.rows] == [False] + [True] * 21
    assert "arXiv 2504.04949" in notes(built)


def test_intervals_hold_the_value_and_repeat(tmp_path: Path) -> None:
    loaded = build(tmp_path, make.full(A))
    one, two = (table.build(loaded, ci=True) for _ in range(2))
    for key in SCORES:
        entry = row(one, "codec-a").entries[key]
        assert entry.interval is not None
        assert entry.interval.low is not None
        assert entry.interval.high is not None
        assert entry.value is not None
        assert entry.interval.low < entry.value < entry.interval.high
        assert entry.interval == row(two, "codec-a").entries[key].interval
    assert row(table.build(loaded), "codec-a").entries["sdr"].interval is None
    few = "under 10 utterances (esc50, librispeech, quesst)"
    assert few in notes(one)
    assert few not in notes(table.build(loaded))


def test_intervals_of_single_clips_say_why_they_are_not_there(tmp_path: Path) -> None:
    built = table.build(build(tmp_path, make.full(A, n=1), n=1), ci=True)
    assert "one utterance a dataset has no spread" in notes(built)


def test_one_section_per_source_and_protocol(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A]), make.full(A))
    make.write(tmp_path, make.run([A], source="other"), make.full(A, source="other"))
    strict = "slt2024-strict"
    make.write(tmp_path, make.run([A], protocol=strict), make.full(A, protocol=strict))
    loaded = store.load(tmp_path)
    places = [(s.source, s.protocol) for s in table.build(loaded).sections]
    assert places == [("mini", "slt2024"), ("mini", strict), ("other", "slt2024")]
    chosen = table.build(loaded, source="mini", protocol=strict).sections
    assert [(s.source, s.protocol) for s in chosen] == [("mini", strict)]
    with pytest.raises(InputError, match="one of mini, other"):
        table.build(loaded, source="nowhere")


def test_different_audio_under_one_id_is_noted(tmp_path: Path) -> None:
    records = [r for r in make.full(B) if r["utterance"] != "esc50/00"]
    records += [make.score(B, "esc50/00", m, 1.0, audio="other") for m in ("sdr", "mel")]
    make.write(tmp_path, make.run([A]), make.full(A))
    make.write(tmp_path, make.run([B], clips=make.selection(records)), records)
    built = table.build(store.load(tmp_path))
    assert "The audio of 1 utterances differs between rows (esc50/00)" in notes(built)
    same = table.build(build(tmp_path / "same", make.full(A) + make.full(B), A, B))
    assert "differs" not in notes(same)


def test_rows_over_different_utterances_are_noted(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A], n=2), make.full(A, n=2))
    make.write(tmp_path, make.run([B], n=4), make.full(B, n=4))
    found = notes(table.build(store.load(tmp_path)))
    assert "codec-a: 6 in 3 datasets; codec-b: 12 in 3 datasets" in found


def test_a_limited_run_is_noted(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A], n=2, total=200), make.full(A, n=2))
    assert "\n6 of 200 utterances" in notes(table.build(store.load(tmp_path)))
    make.write(tmp_path, make.run([B], n=4), make.full(B, n=4))
    assert "codec-a: 6 of 200 utterances" in notes(table.build(store.load(tmp_path)))


def test_several_places_of_one_name_are_noted(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A, B], location="/x/mini"), make.full(A) + make.full(B))
    make.write(tmp_path, make.run([A], location="/y/mini"), [])
    both = notes(table.build(store.load(tmp_path)))
    assert "shown is that of the newest run: /y/mini (codec-a); /x/mini (codec-b)." in both
    make.write(tmp_path, make.run([B], location="/y/mini"), [])
    one = notes(table.build(store.load(tmp_path)))
    assert "mini in several places; shown is that of the newest run: /y/mini, not /x/mini." in one


def test_a_place_tells_sources_of_one_name_apart(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A], location="/x/mini"), make.full(A))
    make.write(tmp_path, make.run([A, B], location="/y/mini"), make.full(B))
    loaded = store.load(tmp_path)
    assert [r.label for r in table.build(loaded, source="/x/mini").rows] == ["codec-a"]
    assert "several places" not in notes(table.build(loaded, source="/x/mini"))
    both = table.build(loaded, source="/y/mini")
    assert {r.label for r in both.rows} == {"codec-a", "codec-b"}
    with pytest.raises(InputError, match="one of mini"):
        table.build(loaded, source="/z/mini")


def test_one_place_is_not_noted(tmp_path: Path) -> None:
    assert "several places" not in notes(table.build(build(tmp_path, make.full(A))))


def test_metric_versions_that_differ_are_noted(tmp_path: Path) -> None:
    records = make.full(A) + make.full(B)
    records += [make.score(B, r["utterance"], "pesq", 3.0, version=2) for r in records]
    found = notes(table.build(build(tmp_path, records, A, B)))
    assert "PESQ of different versions, not comparable: version 1: codec-a; version 2" in found


def test_skipped_lines_are_noted(tmp_path: Path) -> None:
    path = make.write(tmp_path, make.run([A]), make.full(A)) / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    assert f"Not read: {path}:{len(make.full(A))}" in notes(table.build(store.load(tmp_path)))


def test_official_datasets_are_told_from_others(tmp_path: Path) -> None:
    from sqbench.data.slt import OFFICIAL_SETS

    assert "Not the official datasets" in notes(table.build(build(tmp_path, make.full(A))))
    records = []
    for dataset, category in OFFICIAL_SETS.items():
        record = make.score(A, f"{dataset}/0", "sdr", 1.0)
        record["category"] = category
        records.append(record)
    content = make.run([A], metrics=["sdr"], clips=make.selection(records))
    make.write(tmp_path / "official", content, records)
    assert "Not the official" not in notes(table.build(store.load(tmp_path / "official")))


def test_an_extra_metric_knows_its_direction(tmp_path: Path) -> None:
    records = make.full(A) + make.full(B)
    for codec, value in ((A, 5.0), (B, 6.0)):
        records += [make.score(codec, f"quesst/{i:02d}", "si-sdr", value) for i in range(4)]
        records += [make.score(codec, f"quesst/{i:02d}", "homemade", value) for i in range(4)]
    built = table.build(build(tmp_path, records, A, B))
    columns = {c.key: c.direction for c in built.sections[0].columns}
    assert (columns["si-sdr"], columns["homemade"]) == ("higher", None)
    assert "si-sdr" in best(built)["codec-b"]
    assert "homemade" not in best(built)["codec-b"]


def perceptual(tmp_path: Path) -> Store:
    """Records of the signal suite, of two perceptual metrics and of one of nobody's."""
    records = make.full(A)
    for category, metric in (
        ("speech", "delay"), ("speech", "visqol"), ("audio", "visqol"), ("speech", "estoi"),
    ):  # fmt: skip
        records += [
            make.score(A, record["utterance"], metric, 3.0)
            for record in make.full(A)
            if record["metric"] == "mel" and record["category"] == category
        ]
    return build(tmp_path, records, A)


def test_columns_are_in_groups(tmp_path: Path) -> None:
    (section,) = table.build(perceptual(tmp_path)).sections
    groups = [column.group for column in section.columns]
    assert groups == sorted(groups, key=("", "signal", "perceptual", "application").index)
    keys = [column.key for column in section.columns]
    assert keys[-3:] == ["visqol", "delay", "audio_visqol"]  # in the order of the suite
    assert keys[-4] == "estoi"
    (delay,) = (column for column in section.columns if column.key == "delay")
    assert (delay.direction, delay.title) == (None, "Delay")


def test_groups_have_names_where_there_are_several(tmp_path: Path) -> None:
    found = perceptual(tmp_path)
    text = render.render(table.build(found), "markdown")
    assert "signal: SDR (dB)" in text.replace(" ↑", "")
    assert "perceptual: ViSQOL" in text
    lines = render.render(table.build(found)).splitlines()
    assert lines[1].split() == ["signal", "perceptual"] or "perceptual" in lines[1] + lines[2]
    latex = render.render(table.build(found), "latex")
    assert r"\multicolumn{7}{c}{signal} & \multicolumn{3}{c}{perceptual}" in latex
    alone = render.render(table.build(found, suite="perceptual"), "latex")
    assert r"\multicolumn" not in alone


def test_a_suite_alone(tmp_path: Path) -> None:
    found = perceptual(tmp_path)
    built = table.build(found, suite="perceptual")
    shown = [column.key for column in built.sections[0].columns]
    assert shown[5:] == ["visqol", "delay", "audio_visqol"]
    header, line = render.render(built, "csv").splitlines()
    assert header == (
        "model,bitrate_bps,measured_bps,num_codebooks,macs_g,params_m,visqol,delay,audio_visqol"
    )
    assert line.endswith(",3,3,3")
    assert "sdr" not in render.render(table.build(found, suite="perceptual"), "csv")
    with pytest.raises(InputError, match="signal, perceptual, application"):
        table.build(found, suite="all")


def test_the_csv_of_everything_begins_with_the_fixed_header(tmp_path: Path) -> None:
    header = render.render(table.build(perceptual(tmp_path)), "csv").splitlines()[0]
    assert header.endswith("sdr,mel,stoi,pesq,audio_sdr,audio_mel,estoi,visqol,delay,audio_visqol")


LOW = make.describe("codec-low", bitrate_bps=1500.0)
ALSO_LOW = make.describe("codec-also-low", bitrate_bps=2000.0)


def test_best_is_sought_among_like_bitrates(tmp_path: Path) -> None:
    records = make.full(A) + make.full(B, shift=1.0) + make.full(LOW, shift=-2.0)
    records += make.full(ALSO_LOW, shift=-3.0)
    loaded = build(tmp_path, records, A, B, LOW, ALSO_LOW)
    assert {label for label, keys in best(table.build(loaded)).items() if "sdr" in keys} == {
        "codec-b",
        "codec-low",
    }
    everywhere = table.build(loaded, bold="all")
    assert {label for label, keys in best(everywhere).items() if "sdr" in keys} == {"codec-b"}
    assert "within a rate class" in notes(table.build(loaded))
    assert "within a rate class" not in notes(everywhere)
    same = table.build(build(tmp_path / "same", make.full(A) + make.full(B), A, B))
    assert "within a rate class" not in notes(same)


def test_an_incomplete_row_hinders_its_own_class_alone(tmp_path: Path) -> None:
    records = make.full(A) + make.full(B, shift=1.0)
    low, also = make.full(LOW, shift=1.0), make.full(ALSO_LOW)
    for clips in (low, also):
        lose(clips, "quesst/02", "pesq")
    loaded = build(tmp_path, records + low + also, A, B, LOW, ALSO_LOW)
    assert "pesq" in best(table.build(loaded))["codec-low"]
    assert "pesq" not in best(table.build(loaded, bold="all"))["codec-low"]
