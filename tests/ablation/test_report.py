"""Ablations as the paper prints them, of made-up runs."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import results_factory as make

from sqbench.ablation import report as ablation
from sqbench.cli import main
from sqbench.published.rows import table3
from sqbench.report import render
from sqbench.store.record import codec_id
from sqcodec.config import load_config
from sqcodec.errors import InputError
from sqcodec.train.recipes.recipe import load_recipe

SHIFTS = {"baseline": 0.0, "window-40": -1.0, "ste": 0.5, "no-tconv": 1.0}
HEADER = "variant,receptive_field_s,sdr,pesq,wer,eer,audio_sdr,aec_acc"


def trained(row: str, **changes: Any) -> dict[str, Any]:
    recipe = load_recipe(["published"] if row in ("baseline", "no-tconv") else [row], "6kbps")
    return {
        "config": recipe.network(load_config("6kbps")).to_dict(),
        "recipe": json.loads(json.dumps(asdict(recipe))),
        "step": 150,
        "steps": 200,
        "audio_hours_heard": 0.25,
        "training_seconds": 90.0,
        "perceptual": {"source": "tiny-whisper", "sha256": "0" * 64},
        "data_hours": 2.5,
        "weights_sha256": row.encode().hex().ljust(64, "0"),
        **changes,
    }


def codec(row: str, sha256: str = "") -> dict[str, Any]:
    made = make.describe(row, weights="runs/" + row)
    made["weights"]["sha256"] = sha256 or trained(row)["weights_sha256"]
    made["codec_id"] = codec_id(made)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four rows, finished in another order than the paper's; `baseline` has an older result too."""
    rows = {row: trained(row) for row in reversed(SHIFTS)}
    (tmp_path / "ablation.json").write_text(json.dumps({"rows": rows}))
    for row, shift in SHIFTS.items():
        made = codec(row)
        make.write(tmp_path / "results", make.run([made]), make.full(made, shift=shift))
    old = codec("baseline", "f" * 64)
    make.write(tmp_path / "results", make.run([old]), make.full(old, shift=9.0))
    return tmp_path


def test_baseline_has_values_and_the_others_differences(folder: Path) -> None:
    built = ablation.build(folder)
    assert [line.variant for line in built.lines] == [
        "SQCodec (6kbps)", "w/ 40 window size", "w/o TConv", "w/ STE"
    ]  # fmt: skip
    base, window, tconv, _ = built.lines
    assert base.values["sdr"] == base.absolute["sdr"] == pytest.approx(7.0, abs=2.0)
    assert window.values["sdr"] == pytest.approx(-2.0)  # the factory's spread
    assert tconv.values["pesq"] == pytest.approx(0.3)
    assert tconv.absolute["pesq"] == pytest.approx(float(base.values["pesq"] or 0) + 0.3)
    assert [line.values["receptive_field_s"] for line in built.lines] == pytest.approx(
        [0.84375, 0.1125, 0.84375, 0.84375]
    )
    assert all(line.values["wer"] is None for line in built.lines)


def test_notes_say_what_the_rows_are_worth(folder: Path) -> None:
    text = "\n".join(ablation.build(folder).notes)
    assert "WER, EER, AEC: not measured" in text
    assert "Every row: 200 steps, 0.25 h of audio heard of 2.50 h, seed 0, perceptual loss " in text
    assert "Minutes of training: baseline 1.5, " in text
    assert "the published recipe hears 276 h" in text
    assert "not what the paper found" in text
    assert "librispeech (4), quesst (4)" in text


def test_rows_of_different_training_are_told_apart(folder: Path) -> None:
    rows = json.loads((folder / "ablation.json").read_text())["rows"]
    rows["ste"] |= {"steps": 7000, "audio_hours_heard": 276.0, "perceptual": "none"}
    (folder / "ablation.json").write_text(json.dumps({"rows": rows}))
    text = "\n".join(ablation.build(folder).notes)
    assert "baseline, window-40, no-tconv: 200 steps" in text
    assert "ste: 7000 steps, 276.00 h of audio heard of 2.50 h, seed 0, perceptual loss n" in text


def test_utterances_without_a_value_are_marked(folder: Path) -> None:
    (folder / "results").rename(folder / "whole")
    for row in SHIFTS:
        made = codec(row)
        records = make.full(made)
        if row == "no-tconv":
            (lost,) = (r for r in records if (r["metric"], r["utterance"]) == ("pesq", "quesst/01"))
            make.lose(lost, "undefined", "no utterances detected")
        make.write(folder / "results", make.run([made]), records)
    built = ablation.build(folder)
    assert [line.incomplete for line in built.lines] == [set(), set(), {"pesq"}, set()]
    assert "†" in render.render(built, "markdown")


def test_paper_rows_stand_below_as_printed(folder: Path) -> None:
    built = ablation.build(folder, published=True)
    theirs = [line for line in built.lines if line.published]
    assert [line.variant for line in theirs] == [f"{row.variant} (paper)" for row in table3()]
    lines = list(csv.DictReader(io.StringIO(render.render(built, "csv"))))
    assert len(lines) == 4 + 7
    assert float(lines[4]["sdr"]) == 10.504
    assert float(lines[5]["sdr"]) == -0.026
    assert lines[0]["wer"] == ""
    assert "Table 3" in "\n".join(built.notes)


@pytest.mark.parametrize("format", render.FORMATS)
def test_every_format_has_every_row(folder: Path, format: str) -> None:
    text = render.render(ablation.build(folder, published=True), format)
    for words in ("w/ 40 window size", "w/o TConv", "w/o Perceptual Loss (paper)"):
        assert words in text
    if format == "csv":
        assert text.splitlines()[0] == HEADER
    elif format == "json":
        rows = json.loads(text)["rows"]
        assert rows[0]["baseline"]
        assert rows[1]["absolute"]["sdr"] == pytest.approx(rows[0]["sdr"] + rows[1]["sdr"])
    else:
        assert ("$-$2.000" if format == "latex" else "-2.000") in text
        assert "+0.300" in text
        assert "+10.504" not in text
        assert "\u2013" in text or "--" in text


def test_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", "--ablation", str(folder), "--paper", "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith(HEADER)
    for extra in (["--ci"], ["--sort", "sdr"], ["results"]):
        assert main(["table", *extra, "--ablation", str(folder)]) == 1
        assert "beside --ablation" in capsys.readouterr().err


def test_what_cannot_be_compared(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found no finished row.*sqcodec\.train\.ablation"):
        ablation.build(tmp_path / "nowhere")
    with pytest.raises(InputError, match="one source"):
        ablation.build(folder, source="elsewhere")
    rows = {row: trained(row, weights_sha256="f" * 64) for row in SHIFTS}
    (folder / "ablation.json").write_text(json.dumps({"rows": {**rows, "baseline": rows["ste"]}}))
    assert len(ablation.build(folder).lines) == 1  # the older baseline's results alone fit
    (folder / "ablation.json").write_text(json.dumps({"rows": {"ste": trained("ste")}}))
    with pytest.raises(InputError, match=r"a finished baseline row.*found ste"):
        ablation.build(folder)
    (folder / "ablation.json").write_text("{")
    with pytest.raises(InputError, match="finished rows as JSON"):
        ablation.build(folder)
