"""The result formats of Codec-SUPERB."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import results_factory as make

from sqbench.report import export
from sqbench.store import reader as store
from sqbench.store.aggregate import rows
from sqbench.store.reader import Store
from sqcodec.errors import InputError

A = make.describe("codec-a")


def build(tmp_path: Path, records: list[Any], codec: dict[str, Any] = A) -> Store:
    clips = make.selection(records)
    make.write(tmp_path / "results", make.run([codec], clips=clips), records)
    return store.load(tmp_path / "results")


def scrape(text: str, name: str) -> float | None:
    """A mean as the published script finds it: digits and points after the words."""
    found = re.search(rf"{name}: mean score is: (-?[\d.]+)", text)
    return float(found.group(1)) if found else None


def test_slt_logs_hold_the_dataset_means(tmp_path: Path) -> None:
    loaded = build(tmp_path, make.full(A))
    done = export.export(loaded, tmp_path / "out", "slt")
    names = {path.name for path in done.paths}
    assert names == {"librispeech.log", "quesst.log", "esc50.log", "results.txt"}
    text = (tmp_path / "out" / "codec-a" / "librispeech.log").read_text()
    assert text.splitlines()[:4] == [
        "Codec SUPERB objective metric evaluation on librispeech",
        "",
        "Stage 1: Run SDR evaluation.",
        text.splitlines()[3],
    ]
    for name, metric in (("SDR", "sdr"), ("mel_loss", "mel"), ("stoi", "stoi"), ("pesq", "pesq")):
        expected = np.mean([make.value_of(metric, f"librispeech/{i}") for i in range(4)])
        assert scrape(text, name) == pytest.approx(expected, abs=1e-15)
    esc50 = (tmp_path / "out" / "codec-a" / "esc50.log").read_text()
    assert scrape(esc50, "SDR") is not None
    assert "stoi" not in esc50


def test_slt_averages_are_the_table_row(tmp_path: Path) -> None:
    loaded = build(tmp_path, make.full(A))
    export.export(loaded, tmp_path / "out", "slt")
    text = (tmp_path / "out" / "codec-a" / "results.txt").read_text()
    (row,) = rows(loaded)
    for line, key in (
        ("SDR for speech", "sdr"),
        ("Mel_Loss for speech", "mel"),
        ("STOI for speech", "stoi"),
        ("PESQ for speech", "pesq"),
        ("SDR for audio", "audio_sdr"),
        ("Mel_Loss for audio", "audio_mel"),
    ):
        assert f"Average {line} datasets: {row.cells[key].value}\n" in text
    assert text.startswith("Log results\n" + "-" * 50 + "\nFile Name: esc50.log\nCodec SUPERB")


def test_slt_leaves_an_incomplete_metric_empty_and_the_dataset_out(tmp_path: Path) -> None:
    records = make.full(A)
    for record in records:
        if record["utterance"] == "quesst/01" and record["metric"] == "pesq":
            make.lose(record, "failed", "worker died")
    loaded = build(tmp_path, records)
    done = export.export(loaded, tmp_path / "out", "slt")
    quesst = (tmp_path / "out" / "codec-a" / "quesst.log").read_text()
    assert quesst.endswith("Stage 4: Run PESQ.\npesq: \n")
    assert scrape(quesst, "stoi") is not None
    text = (tmp_path / "out" / "codec-a" / "results.txt").read_text()
    libri = float(np.mean([make.value_of("sdr", f"librispeech/{i}") for i in range(4)]))
    assert f"Average SDR for speech datasets: {libri}\n" in text
    assert "Coverage: quesst pesq: 3 of 4 files scored" in text
    assert any("quesst (pesq has 3 of 4)" in note for note in done.notes)
    export.export(loaded, tmp_path / "mean", "slt", failures="mean")
    assert scrape((tmp_path / "mean" / "codec-a" / "quesst.log").read_text(), "pesq") is not None


def test_slt_numbers_have_no_exponent(tmp_path: Path) -> None:
    records = make.full(A)
    for record in records:
        if record["metric"] == "mel":
            record["value"] = 1.25e-7
    export.export(build(tmp_path, records), tmp_path / "out", "slt")
    text = (tmp_path / "out" / "codec-a" / "esc50.log").read_text()
    assert scrape(text, "mel_loss") == 1.25e-7


def test_slt_without_a_dataset_left_is_nan(tmp_path: Path) -> None:
    records = [r for r in make.full(A) if r["utterance"] != "esc50/00" or r["kind"] == "coding"]
    export.export(build(tmp_path, records), tmp_path / "out", "slt")
    text = (tmp_path / "out" / "codec-a" / "results.txt").read_text()
    assert "Average SDR for audio datasets: nan\n" in text


def test_main_has_means_over_files_by_split(tmp_path: Path) -> None:
    records = make.full(A)
    for record in records:
        if record["utterance"] == "esc50/03":
            record["domain"] = "music"
    done = export.export(build(tmp_path, records), tmp_path / "out", "main")
    (path,) = done.paths
    assert path.name == "mini_evaluation_results.json"
    content = json.loads(path.read_text())
    assert list(content) == ["codec-a"]
    found = content["codec-a"]
    assert set(found) == {"Speech", "Audio", "Music", "overall"}
    four = [make.value_of("mel", f"esc50/{i}") for i in range(4)]
    speech = [make.value_of("mel", f"{d}/{i}") for d in ("quesst", "librispeech") for i in range(4)]
    assert found["Speech"]["mel"] == pytest.approx(np.mean(speech))
    assert found["Audio"]["mel"] == pytest.approx(np.mean(four[:3]))
    assert found["Music"]["mel"] == pytest.approx(four[3])
    assert found["overall"] == {"mel": pytest.approx(np.mean([*speech, *four]))}
    assert set(found["Speech"]) == {"mel", "stoi"}
    assert any("overall has no stoi" in note for note in done.notes)
    assert any("pesq is absent" in note for note in done.notes)


def test_main_takes_pesq_from_the_resampled_variant(tmp_path: Path) -> None:
    records = make.full(A)
    records += [make.score(A, r["utterance"], "pesq-resampled", 2.0) for r in records[:2]]
    make.lose(records[-1], "undefined", "no utterances")
    done = export.export(build(tmp_path, records), tmp_path / "out", "main")
    speech = json.loads(done.paths[0].read_text())["codec-a"]["Speech"]
    assert "pesq" not in speech
    assert any("leaves out 1 files (undefined: no utterances)" in note for note in done.notes)


@pytest.mark.parametrize(
    ("weights", "name"),
    [("official", "sqcodec_16k_6kbps"), ("bundled", "sqcodec-6k")],
    ids=["official", "bundled"],
)
def test_main_uses_its_own_name_for_official_weights_only(
    tmp_path: Path, weights: str, name: str
) -> None:
    codec = make.describe("sqcodec-6k", weights=weights)
    done = export.export(build(tmp_path, make.full(codec), codec), tmp_path / "out", "main")
    assert list(json.loads(done.paths[0].read_text())) == [name]


def test_several_sources_need_a_choice(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([A]), make.full(A))
    make.write(tmp_path, make.run([A], source="other"), make.full(A, source="other"))
    loaded = store.load(tmp_path)
    with pytest.raises(InputError, match=r"mini \(slt2024\), other \(slt2024\)"):
        export.export(loaded, tmp_path / "out", "slt")
    assert export.export(loaded, tmp_path / "out", "slt", source="other").paths


@pytest.mark.parametrize(
    ("options", "words"),
    [({"codecs": ["nobody"]}, "no results of it"), ({"format": "xml"}, "slt or main")],
    ids=["codec", "format"],
)
def test_nothing_to_export(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        export.export(build(tmp_path, make.full(A)), tmp_path, **{"format": "slt", **options})


def test_unwritable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="file/out"):
        export.export(build(tmp_path, make.full(A)), tmp_path / "file" / "out", "main")
