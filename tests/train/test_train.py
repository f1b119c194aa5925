"""The trainer: data, steps, resume, export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import audio_fixtures
import numpy as np
import pytest
import torch
from train_fixtures import TINY

from sqcodec.checkpoint import load_checkpoint
from sqcodec.errors import InputError
from sqcodec.train import loop
from sqcodec.train.__main__ import main
from sqcodec.train.corpus import Corpus, Sampler, level
from sqcodec.train.loop import CHECKPOINT, Trainer
from sqcodec.train.recipe import Recipe


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "train"
    for i in range(4):
        audio_fixtures.write_wav(folder / f"speech/s{i}.wav", audio_fixtures.babble(1.0, seed=i))
    for i in range(2):
        tone = 0.3 * np.sin(np.arange(24000) * (0.05 + 0.02 * i))
        audio_fixtures.write_wav(folder / f"music/m{i}.wav", tone, 24000)
    audio_fixtures.write_wav(folder / "speech/silent.wav", np.zeros(16000))
    (folder / "speech/broken.wav").write_text("not audio")
    rows = ["path,group"] + [f"speech/s{i}.wav,speaker{i % 2}" for i in range(4)]
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder


def _trainer(root: Path, out: Path, **changes: Any) -> Trainer:
    recipe = Recipe(**{"max_steps": 6, "batch_size": 2, "windows": 1, "bypass_steps": 2, **changes})
    return Trainer(TINY, recipe, Corpus(root, 16000, out / "cache"), out)


def test_corpus_skips_what_it_cannot_use_and_says_so(root: Path, tmp_path: Path) -> None:
    corpus = Corpus(root, 16000, tmp_path / "cache")
    assert {clip.path for clip in corpus.clips} == {
        "music/m0.wav", "music/m1.wav", *(f"speech/s{i}.wav" for i in range(4))
    }  # fmt: skip
    assert len(corpus.skipped) == 2
    assert any("broken.wav" in reason for reason in corpus.skipped)
    assert any("silence" in reason for reason in corpus.skipped)
    music = next(clip for clip in corpus.clips if clip.domain == "music")
    assert music.length == 16000  # 24000 samples at 24 kHz
    again = Corpus(root, 16000, tmp_path / "cache")
    assert again.clips == corpus.clips


def test_split_keeps_groups_whole_and_every_domain_on_both_sides(
    root: Path, tmp_path: Path
) -> None:
    train, held_out = Corpus(root, 16000, tmp_path / "cache").split()
    assert not {clip.group for clip in train} & {clip.group for clip in held_out}
    assert {clip.domain for clip in train} == {clip.domain for clip in held_out}
    assert len([clip for clip in held_out if clip.domain == "speech"]) == 2


def test_no_usable_audio_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="none usable"):
        Corpus(tmp_path / "empty", 16000, tmp_path / "cache")
    with pytest.raises(InputError, match="no such folder"):
        Corpus(tmp_path / "nowhere", 16000, tmp_path / "cache")


def test_a_batch_depends_on_seed_and_step_alone(root: Path, tmp_path: Path) -> None:
    corpus = Corpus(root, 16000, tmp_path / "cache")

    def batch(seed: int, step: int) -> Any:
        sampler = Sampler(
            corpus, corpus.clips, length=4000, weights={}, seed=seed, gain_db=-12.0,
            mix_probability=0.5, normalise=True,
        )  # fmt: skip
        return sampler.batch(step, 3)

    np.testing.assert_array_equal(batch(0, 5), batch(0, 5))
    assert not np.array_equal(batch(0, 5), batch(0, 6))
    assert not np.array_equal(batch(0, 5), batch(1, 5))


def test_level_brings_the_loudest_to_three_quarters_and_leaves_silence() -> None:
    x = (0.1 * np.sin(np.arange(8000) * 0.1)).astype(np.float32)
    assert np.abs(level(x)).max() == pytest.approx(0.75, rel=1e-3)
    quiet = x * np.float32(0.01)
    np.testing.assert_array_equal(level(quiet), quiet)


def test_it_learns_one_clip(tmp_path: Path) -> None:
    """L1 falls to a third on a single clip."""
    tone = 0.5 * np.sin(np.arange(16000) * 0.2) * np.sin(np.arange(16000) * 0.001)
    audio_fixtures.write_wav(tmp_path / "data/speech/a.wav", tone)
    trainer = _trainer(
        tmp_path / "data", tmp_path / "out", max_steps=200, bypass_steps=100, lr=5e-4,
        batch_size=4, mix_probability=0.0, gain_db=0.0, decay_share=0.0,
    )  # fmt: skip
    rows = [trainer.train_step() for _ in range(170)]
    first, last = (np.mean([row["l1"] for row in part]) for part in (rows[:3], rows[-10:]))
    assert last < first / 3
    assert np.mean([row["snr_db"] for row in rows[-10:]]) > 6.0
    assert rows[-1]["distinct_codes"] > 0.2


def test_resume_equals_the_uninterrupted_run(root: Path, tmp_path: Path) -> None:
    whole = _trainer(root, tmp_path / "whole")
    losses = [whole.train_step()["loss"] for _ in range(6)]
    first = _trainer(root, tmp_path / "part")
    part = [first.train_step()["loss"] for _ in range(3)]
    first.save(tmp_path / "part" / CHECKPOINT)
    torch.manual_seed(123)  # what happens in between must not matter
    second = _trainer(root, tmp_path / "part")
    second.resume(tmp_path / "part" / CHECKPOINT)
    part += [second.train_step()["loss"] for _ in range(3)]
    assert part == losses


def test_a_step_that_is_not_finite_is_skipped_and_counted(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = _trainer(root, tmp_path / "out")
    trainer.train_step()
    before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    good = trainer.losses
    monkeypatch.setattr(trainer, "losses", lambda e, a: tuple(x * torch.nan for x in good(e, a)))
    trainer.train_step()
    assert trainer.skipped == 1
    assert all(torch.equal(v, before[k]) for k, v in trainer.model.state_dict().items())
    for _ in range(18):
        trainer.train_step()
    with pytest.raises(InputError, match="non-finite"):
        trainer.train_step()


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = _trainer(root, tmp_path / "out")
    path = tmp_path / "out" / CHECKPOINT
    trainer.save(path)
    kept = path.read_bytes()

    def full(state: object, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(InputError, match="No space left"):
        trainer.save(path)
    assert path.read_bytes() == kept


@pytest.mark.parametrize("content", [None, b"", b"garbage"], ids=["missing", "empty", "garbage"])
def test_a_checkpoint_that_cannot_be_read(
    root: Path, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "bad.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.pt"):
        _trainer(root, tmp_path / "out").resume(path)


def test_learning_rate_warms_up_stays_and_decays() -> None:
    recipe = Recipe(max_steps=100, warmup_steps=10, lr=1e-3, lr_end=0.0)
    assert recipe.lr_at(0) == pytest.approx(1e-4)
    assert recipe.lr_at(10) == recipe.lr_at(69) == 1e-3
    assert recipe.lr_at(85) == pytest.approx(0.5e-3)
    assert recipe.lr_at(100) == pytest.approx(0.0)


def test_command_line_trains_exports_and_resumes(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "VALIDATION_CROPS", 1)  # the network is of full size here
    out = tmp_path / "run"
    command = ["--config", "6k", "--data", str(root), "--out", str(out), "--every", "1",
               "--set", "batch_size=1", "--set", "windows=1"]  # fmt: skip
    assert main([*command, "--max-steps", "1"]) == 0
    assert main([*command, "--max-steps", "2", "--resume"]) == 0
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2]
    model, _ = load_checkpoint(out / "model.safetensors")
    assert model.config.name == "6kbps"
    card = json.loads((out / "model.json").read_text())
    assert card["data"]["hours"] > 0
    assert card["perceptual"] == "none"


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--set", "learning=1"], "max_steps"),
        (["--set", "lr=fast"], "float"),
        (["--config", "7k"], "6k"),
        (["--set", "domains=opera:1"], "opera"),
        (["--resume"], "no such file"),
        (["--device", "cuda:99"], "device 'cuda:99'"),
        (["--device", "abacus"], "device 'abacus'"),
        (["--set", "batch_size=0"], "at least 1"),
        (["--set", "domains=speech:0"], "weights of 0 or more"),
        (["--init", "nowhere.safetensors"], "nowhere.safetensors"),
    ],
    ids=[
        "unknown key",
        "bad value",
        "unknown config",
        "unknown domain",
        "nothing to resume",
        "no GPU",
        "unknown device",
        "empty batch",
        "no weight",
        "no weights to start from",
    ],
)
def test_command_line_errors(
    extra: list[str], words: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(root), "--out", str(tmp_path / "run"), *extra]) == 1
    assert words in capsys.readouterr().err


def test_out_that_is_a_file(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").write_text("mine")
    assert main(["--data", str(root), "--out", str(tmp_path / "run")]) == 1
    assert "expected a folder to write to; found a file" in capsys.readouterr().err


def test_a_run_is_not_overwritten(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"days of work")
    assert main(["--data", str(root), "--out", str(tmp_path)]) == 1
    assert "--resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--data, --out"),
        (["--data", "x", "--out", "y", "--every", "0"], "--every: expected a whole number"),
        (["--data", "x", "--out", "y", "--threads", "some"], "found 'some'"),
        (["--data", "x", "--out", "y", "--resume", "--init", "z"], "not allowed with"),
    ],
    ids=["nothing given", "zero", "no number", "resume and init"],
)
def test_wrong_usage_exits_with_1(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 1
    assert words in capsys.readouterr().err
