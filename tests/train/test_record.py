"""What a run records: stages, sources, validation, and no NaN."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
from pathlib import Path
from typing import Any

import audio_fixtures
import numpy as np
import pytest
import torch
from train_fixtures import TINY

from sqcodec.checkpoint import read_card
from sqcodec.errors import InputError
from sqcodec.train import loop
from sqcodec.train.corpus import Corpus
from sqcodec.train.loop import CHECKPOINT, Trainer
from sqcodec.train.manifest import NO_SOURCES, read_manifest
from sqcodec.train.recipe import Recipe
from sqcodec.train.record import finite, open_stage


@pytest.fixture(autouse=True)
def few_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "VALIDATION_CROPS", 2)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three clips of two speakers, with licences."""
    folder = tmp_path / "train"
    for i in range(3):
        audio_fixtures.write_wav(folder / f"speech/s{i}.wav", audio_fixtures.babble(0.6, seed=i))
    _manifest(folder, "speech/s0.wav,A,CC0,x", "speech/s1.wav,A,CC0,y", "speech/s2.wav,B,,y")
    return folder


def _manifest(folder: Path, *rows: str) -> None:
    text = "\n".join(["path,dataset,license,group", *rows])
    (folder / "manifest.csv").write_text(text + "\n")


def _trainer(root: Path, out: Path, **changes: Any) -> Trainer:
    recipe = Recipe(**{"max_steps": 2, "batch_size": 2, "windows": 1, "bypass_steps": 0, **changes})
    return Trainer(TINY, recipe, Corpus(root, 16000, out / "cache"), out)


def _strict(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def _run(trainer: Trainer, every: int = 1) -> list[dict[str, Any]]:
    trainer.run(every=every, report=lambda row: None)
    return [_strict(line) for line in (trainer.out / "log.jsonl").read_text().splitlines()]


def test_without_held_out_clips_every_report_exports_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio_fixtures.write_wav(tmp_path / "one/a.wav", audio_fixtures.babble(1.0))
    trainer = _trainer(tmp_path / "one", tmp_path / "out")
    exported: list[int] = []
    good = trainer.export

    def export(path: Path, measured: dict[str, Any]) -> None:
        exported.append(trainer.step)
        good(path, measured)

    monkeypatch.setattr(trainer, "export", export)
    rows = _run(trainer)
    assert exported == [1, 2]
    assert [row["val_snr_db"] for row in rows] == [None, None]
    assert [r.message for r in caplog.records if "no validation" in r.message] == [
        "no domain has two groups of clips, so none is held out: there is no validation, "
        "and every report exports the latest weights"
    ]
    card = _strict((tmp_path / "out/model.json").read_text())
    assert (card["step"], card["validation"]) == (2, "none")
    assert read_card(tmp_path / "out/model.safetensors")[1] == card


def test_with_validation_the_best_step_is_exported(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = _trainer(root, tmp_path / "out", max_steps=3)
    values = iter([1.0, 2.0, 1.5])
    monkeypatch.setattr(trainer, "validate", lambda: {"val_snr_db": next(values)})
    _run(trainer)
    card = _strict((tmp_path / "out/model.json").read_text())
    assert (card["step"], card["validation"]) == (2, {"val_snr_db": 2.0})


def test_a_skipped_step_is_null_in_the_log(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = _trainer(root, tmp_path / "out", max_steps=1)
    good = trainer.losses
    monkeypatch.setattr(trainer, "losses", lambda e, a: tuple(x * torch.nan for x in good(e, a)))
    (row,) = _run(trainer)
    assert row["loss"] is None
    assert row["skipped"] == 1
    assert trainer.audio_seconds == 0.0


def test_finite() -> None:
    value = {"a": [1.0, math.nan, (math.inf, 2)], "b": "NaN", "c": True}
    assert finite(value) == {"a": [1.0, None, [None, 2]], "b": "NaN", "c": True}


def test_stages_are_recorded_and_hours_add_up(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    _run(_trainer(root, out))
    caplog.set_level(logging.INFO)
    second = _trainer(root, out, max_steps=3, batch_size=1, betas=(0.8, 0.9))
    second.resume(out / CHECKPOINT)
    assert {r.message for r in caplog.records} == {
        "from step 2: recipe.max_steps: 2 -> 3",
        "from step 2: recipe.batch_size: 2 -> 1",
        "from step 2: recipe.betas: [0.9, 0.99] -> [0.8, 0.9]",
    }
    assert second.optimizer.param_groups[0]["betas"] == (0.8, 0.9)
    assert math.isfinite(second.best)
    _run(second)
    state = torch.load(out / CHECKPOINT, weights_only=True)
    assert state["audio_seconds"] == pytest.approx(5 * second.sampler.length / 16000)
    run = _strict((out / "recipe.json").read_text())
    assert state["stages"] == run["stages"]
    assert [(s["from_step"], s["recipe"]["batch_size"]) for s in run["stages"]] == [(0, 2), (2, 1)]
    second.audio_seconds = 7200.0
    second.export(out / "card.safetensors", {})
    card = read_card(out / "card.safetensors")[1]
    assert card["audio_hours_heard"] == 2.0
    assert card["stages"] == run["stages"]
    assert str(tmp_path) not in json.dumps(card)


def test_an_unchanged_resume_opens_no_stage(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first = _trainer(root, tmp_path)
    first.train_step()
    first.save(tmp_path / CHECKPOINT)
    again = _trainer(root, tmp_path)
    again.resume(tmp_path / CHECKPOINT)
    assert again.stages == first.stages
    assert not caplog.records


def test_another_corpus_is_recorded_and_validated_anew(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    _run(_trainer(root, out, max_steps=1))
    other = shutil.copytree(root, tmp_path / "other")
    audio_fixtures.write_wav(other / "speech/s9.wav", audio_fixtures.babble(0.6, seed=9))
    caplog.set_level(logging.INFO)
    trainer = _trainer(other, out, max_steps=1)
    trainer.resume(out / CHECKPOINT)
    assert [stage["data"]["root"] for stage in trainer.stages] == ["train", "other"]
    assert any("data.files_sha256" in r.message for r in caplog.records)
    assert trainer.best == -math.inf


def test_a_stage_without_a_step_is_replaced() -> None:
    old = {"from_step": 0, "recipe": {"lr": 1}}
    stages, lines = open_stage([old], {"from_step": 0, "recipe": {"lr": 2}})
    assert stages == [{"from_step": 0, "recipe": {"lr": 2}}]
    assert lines == ["recipe.lr: 1 -> 2"]


def test_a_file_that_is_no_checkpoint_of_the_trainer(root: Path, tmp_path: Path) -> None:
    torch.save({"model": {}}, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"without audio_seconds.*--init"):
        _trainer(root, tmp_path).resume(tmp_path / "other.pt")


def test_init_takes_the_weights_and_says_which(root: Path, tmp_path: Path) -> None:
    first = _trainer(root, tmp_path / "a", max_steps=1)
    _run(first)
    second = _trainer(root, tmp_path / "b", ema=0.9, seed=5)
    second.start_from(tmp_path / "a")
    assert second.average is not None
    for model in (second.model, second.average):
        for name, value in model.state_dict().items():
            torch.testing.assert_close(value, first.model.state_dict()[name], atol=1e-3, rtol=1e-3)
    assert second.init is not None
    assert second.init["file"] == "a"
    assert second.init["card"]["step"] == 1


def test_sources_with_licences(root: Path, tmp_path: Path) -> None:
    audio_fixtures.write_wav(root / "speech/s3.wav", audio_fixtures.babble(0.6, seed=3))
    corpus = Corpus(root, 16000, tmp_path / "cache")
    assert corpus.sources == [
        "A: CC0 (2 clips, 0.0 min)",
        "B: licence not stated (1 clips, 0.0 min)",
        "not in manifest.csv: licence not stated (1 clips, 0.0 min)",
    ]
    (root / "manifest.csv").unlink()
    assert Corpus(root, 16000, tmp_path / "cache").sources == NO_SOURCES


def test_an_edited_manifest_takes_effect(root: Path, tmp_path: Path) -> None:
    before = Corpus(root, 16000, tmp_path / "cache")
    _manifest(root, *(f"speech/s{i}.wav,A,CC0,same" for i in range(3)))
    after = Corpus(root, 16000, tmp_path / "cache")
    assert {clip.group for clip in before.clips} == {"x", "y"}
    assert {clip.group for clip in after.clips} == {"same"}
    assert before.sha256 != after.sha256


def test_a_rewritten_file_is_decoded_again(root: Path, tmp_path: Path) -> None:
    before = Corpus(root, 16000, tmp_path / "cache")
    path = root / "speech/s0.wav"
    size, time = path.stat().st_size, path.stat().st_mtime_ns
    audio_fixtures.write_wav(path, audio_fixtures.babble(0.6, seed=77))
    os.utime(path, ns=(time + 1000, time + 1000))
    assert path.stat().st_size == size
    after = Corpus(root, 16000, tmp_path / "cache")
    assert not np.array_equal(before.samples, after.samples)
    assert before.sha256 != after.sha256


def test_the_same_files_elsewhere_are_the_same_corpus(root: Path, tmp_path: Path) -> None:
    copied = tmp_path / "elsewhere"
    shutil.copytree(root, copied, copy_function=shutil.copyfile)
    (copied / "speech/._s0.wav").write_text("left by an archiver")
    corpora = [Corpus(folder, 16000, tmp_path / "cache") for folder in (root, copied)]
    assert corpora[0].sha256 == corpora[1].sha256
    assert corpora[1].skipped == []


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"file,group\na,b\n", "column 'path'"), (b"", "an empty file"), (b"path\n\xff\n", "UTF-8")],
    ids=["no path", "empty", "encoding"],
)
def test_a_manifest_that_cannot_be_used(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_manifest(tmp_path)
