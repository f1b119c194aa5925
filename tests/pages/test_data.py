"""The JSON block: what is in it, and that nothing in it can leave it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pages_factory as pages
import pytest
import results_factory as make

from sqbench.errors import InputError
from sqbench.pages import data
from sqbench.pages.section import PAIR
from sqbench.report import table
from sqbench.store import reader

DOCS = Path(__file__).parents[2] / "docs" / "report.md"


def section(store: reader.Store, folder: Path, **options: Any) -> dict[str, Any]:
    content = data.build(store, [folder], title="t", **options)
    (one,) = content["sections"]
    assert isinstance(one, dict)
    return one


def row(of: dict[str, Any], label: str) -> dict[str, Any]:
    (found,) = (each for each in of["rows"] if each["label"] == label)
    assert isinstance(found, dict)
    return found


def test_values_and_intervals_are_the_tables(tmp_path: Path) -> None:
    store = pages.store(tmp_path)
    one = section(store, tmp_path)
    (other,) = table.build(store, ci=True, paper=True).sections
    assert [each["label"] for each in one["rows"]] == [each.label for each in other.rows]
    for theirs in other.rows:
        ours = row(one, theirs.label)
        for key, entry in theirs.entries.items():
            assert ours["values"][key] == entry.value
            if entry.interval is not None and entry.interval.low is not None:
                assert ours["intervals"][key] == [entry.interval.low, entry.interval.high]


def test_kinds_and_lines(tmp_path: Path) -> None:
    one = section(pages.store(tmp_path), tmp_path)
    kinds = {each["label"]: each["kind"] for each in one["rows"]}
    assert kinds["identity"] == "control"
    assert kinds["opus-6k"] == kinds["sqcodec-6k"] == "codec"
    assert kinds["SQCodec 6k (paper)"] == "paper"
    assert row(one, "opus-6k")["line"] == row(one, "opus-12k")["line"] == "opus"
    assert row(one, "DAC 6k (paper)")["line"] == "DAC 16 kHz (paper)"


def test_best_is_of_a_band_and_never_a_control(tmp_path: Path) -> None:
    one = section(pages.store(tmp_path), tmp_path)
    # The net is shifted up from opus in either band: better, but for distances.
    qualities, distances = ["sdr", "stoi", "pesq", "audio_sdr"], ["mel", "audio_mel"]
    for name in ("sqcodec-6k", "sqcodec-12k"):
        assert row(one, name)["best"] == qualities
    for name in ("opus-6k", "opus-12k"):
        assert row(one, name)["best"] == distances
    assert row(one, "identity")["best"] == []


def test_a_codec_alone_in_its_band_is_not_the_best(tmp_path: Path) -> None:
    one = section(pages.store(tmp_path), tmp_path, codecs=["opus-*", "sqcodec-6k"])
    assert row(one, "opus-12k")["best"] == []
    assert row(one, "sqcodec-6k")["best"]


def test_what_is_missing_says_why(tmp_path: Path) -> None:
    one = section(pages.store(tmp_path, lose=True), tmp_path)
    opus = row(one, "opus-6k")
    assert opus["counts"]["pesq"] == [7, 8, 0]
    assert opus["incomplete"] == ["pesq"]
    assert opus["reasons"]["pesq"] == "undefined: a side is silent (1)"
    assert opus["reasons"]["macs_g"] == "no network to count"
    assert "best" not in opus or "pesq" not in opus["best"]
    clips = one["clips"]
    ((clip, reason),) = clips["missing"]["opus-6k"]["pesq"]
    assert clips["ids"][clip] == "quesst/01"
    assert clips["reasons"][reason] == "undefined: a side is silent"
    assert clips["values"]["opus-6k"]["pesq"][clip] is None


def test_a_metric_that_one_codec_never_had(tmp_path: Path) -> None:
    extra = [make.score(pages.LOW, f"quesst/{i:02d}", "estoi", 0.8) for i in range(4)]
    make.write(tmp_path, make.run(pages.FAMILY, n=4), pages.family() + extra)
    one = section(reader.load(tmp_path), tmp_path)
    assert row(one, "opus-12k")["reasons"]["estoi"] == "not measured"


def test_values_of_clips_and_the_worst(tmp_path: Path) -> None:
    one = section(pages.store(tmp_path, n=8), tmp_path)
    clips = one["clips"]
    for key, lowest_is_worst in (("pesq", True), ("mel", False)):
        values = clips["values"]["opus-6k"][key]
        there = sorted(
            (value for value in values if value is not None), reverse=not lowest_is_worst
        )
        worst = [values[clip] for clip in clips["worst"]["opus-6k"][key]]
        assert worst == there[:10]
    for clip, name in enumerate(clips["ids"]):
        assert clips["datasets"][clips["dataset"][clip]]["name"] == name.partition("/")[0]


def test_correlations_leave_out_controls(tmp_path: Path) -> None:
    one = section(pages.store(tmp_path), tmp_path)
    over = {(each["over"], each["category"]): each for each in one["correlations"]}
    assert set(over) == {
        ("clips", "speech"), ("codecs", "speech"), ("clips", "audio"), ("codecs", "audio")
    }  # fmt: skip
    speech = over["clips", "speech"]
    assert speech["keys"] == ["sdr", "mel", "stoi", "pesq"]
    assert speech["n"][0][1] == 4 * 8
    assert speech["values"][0][0] == 1.0
    assert over["codecs", "speech"]["n"][0][1] == 4
    fewer = section(pages.store(tmp_path / "b"), tmp_path, codecs=["opus-*", "sqcodec-6k"])
    few = {(c["over"], c["category"]): c for c in fewer["correlations"]}["codecs", "speech"]
    assert (few["values"][0][1], few["n"][0][1]) == (None, 3)


def test_correlation_is_spearmans(tmp_path: Path) -> None:
    from scipy.stats import spearmanr

    one = section(pages.store(tmp_path), tmp_path)
    (speech,) = (
        c for c in one["correlations"] if (c["over"], c["category"]) == ("clips", "speech")
    )
    pooled = {
        key: [
            value
            for name in ("opus-6k", "opus-12k", "sqcodec-6k", "sqcodec-12k")
            for value in one["clips"]["values"][name][key]
            if value is not None
        ]
        for key in ("sdr", "pesq")
    }
    wanted = spearmanr(pooled["sdr"], pooled["pesq"]).statistic
    assert speech["values"][0][3] == pytest.approx(wanted, abs=1e-3)


def test_hostile_names_stay_inside_the_block(tmp_path: Path) -> None:
    name = pages.HOSTILE["name"]
    codecs = (*pages.FAMILY, pages.HOSTILE)
    made = pages.family() + pages.records(pages.HOSTILE, shift=0.0, bits=900.0)
    make.lose(made[-1], "failed", "]]> --> </script> \u2028 \u2029 '\"")
    make.write(tmp_path, make.run(codecs, n=4), made)
    content = data.build(reader.load(tmp_path), [tmp_path], title=name)
    text = data.block(content)
    assert not re.search("[<>&\u2028\u2029]", text)
    again = json.loads(text)
    assert again == json.loads(json.dumps(content))
    assert name in [each["label"] for each in again["sections"][0]["rows"]]


def test_audio_is_linked_from_where_the_page_is(tmp_path: Path) -> None:
    store = pages.with_audio(tmp_path / "results", tmp_path / "data")
    content = data.build(store, [tmp_path / "results"], title="t")
    page = tmp_path / "pages" / "report.html"
    count = data.add_audio(content, store, [tmp_path / "results"], page)
    clips = content["sections"][0]["clips"]
    assert set(clips["audio"]["decoded"]) == {"opus-6k"}  # no other codec's was saved
    decoded = clips["audio"]["decoded"]["opus-6k"]
    assert count == len(decoded) == len(clips["audio"]["original"]) == 12
    clip, address = next(iter(decoded.items()))
    assert address.startswith("../results/")
    assert (page.parent / address).resolve().is_file()
    original = page.parent / clips["audio"]["original"][clip]
    assert original.resolve() == tmp_path / "data" / clips["ids"][int(clip)]


def test_audio_inside_the_page(tmp_path: Path) -> None:
    store = pages.with_audio(tmp_path / "results", tmp_path / "data")
    content = data.build(store, [tmp_path / "results"], title="t")
    data.add_audio(content, store, [tmp_path / "results"], tmp_path / "x.html", embed=True)
    address = content["sections"][0]["clips"]["audio"]["decoded"]["opus-6k"]["0"]
    assert address.startswith("data:audio/flac;base64,ZkxhQ")  # fLaC


def test_an_utterance_that_points_elsewhere_is_no_file(tmp_path: Path) -> None:
    from sqbench.pages.sound import Saved

    (tmp_path / "secret.wav").write_bytes(b"RIFF")
    inside = tmp_path / "data"
    inside.mkdir()
    where = Saved(folders={}, names={}, origins={"s": inside})
    assert where.original("s", "../secret.wav") is None
    assert where.original("s", str(tmp_path / "secret.wav")) is None
    assert where.original("other", "a.wav") is None


def test_nothing_asked_for_that_is_there(tmp_path: Path) -> None:
    store = pages.store(tmp_path)
    with pytest.raises(InputError, match="--source nowhere"):
        data.build(store, [tmp_path], title="t", source="nowhere")


def test_ten_codecs_on_three_hundred_clips_are_under_3_mb(tmp_path: Path) -> None:
    codecs = [
        make.describe(f"net-{i}k", bitrate_bps=1000.0 * i, settings={"i": i}) for i in range(1, 11)
    ]
    records = [
        each
        for i, codec in enumerate(codecs)
        for each in pages.records(codec, shift=0.3 * i, bits=1000.0 * (i + 1), n=100)
    ]
    make.write(tmp_path, make.run(codecs, n=100), records)
    from sqbench.pages.render import render

    page = render(data.build(reader.load(tmp_path), [tmp_path], title="t"))
    assert len(page.encode()) < 1e6


def test_the_schema_is_documented(tmp_path: Path) -> None:
    content = data.build(pages.store(tmp_path), [tmp_path], title="t")
    content["sections"][0]["clips"]["audio"] = {}
    text = DOCS.read_text(encoding="utf-8")
    parts = {
        "": content,
        "section": content["sections"][0],
        "row": content["sections"][0]["rows"][0],
        "column": content["sections"][0]["columns"][0],
        "delta": content["sections"][0]["deltas"][0],
        "clips": content["sections"][0]["clips"],
        "correlation": content["sections"][0]["correlations"][0],
        "run": content["runs"][0],
        "pair": dict.fromkeys(PAIR),
    }
    for part, found in parts.items():
        for name in found:
            assert f"`{name}`" in text, f"{part}: {name}"
