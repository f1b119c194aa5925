"""``python -m sqcodec.train``: options, errors, signals, several processes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from train_fixtures import speech_and_music

from sqcodec.checkpoint import load_checkpoint
from sqcodec.train import evaluation
from sqcodec.train.command import main, parser
from sqcodec.train.data.corpus import Corpus

WORKER = Path(__file__).parents[1] / "train_worker.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return speech_and_music(tmp_path / "train")


def test_options_are_these() -> None:
    """A change of the command line is a decision, not a slip."""
    found = {option for action in parser()._actions for option in action.option_strings}
    assert found == {
        "-h", "--help", "--config", "--data", "--out", "--recipe", "--set", "--max-steps",
        "--every", "--evaluate-every", "--keep", "--resume", "--init", "--device", "--threads",
        "--compile", "--dry-run", "--save-minutes", "--list-keys", "--list-recipes",
    }  # fmt: skip


def test_it_trains_exports_and_resumes(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "SECONDS", 0.8)  # the network is of full size here
    out = tmp_path / "run"
    command = ["--config", "6k", "--data", str(root), "--out", str(out), "--every", "1",
               "--recipe", "cpu", "--set", "batch_size=1", "--evaluate-every", "0"]  # fmt: skip
    assert main([*command, "--max-steps", "1"]) == 0
    assert main([*command, "--max-steps", "2", "--resume"]) == 0
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if row["kind"] == "report"] == [1, 2]
    model, _ = load_checkpoint(out / "model.safetensors")
    assert model.config.name == "6kbps"
    card = json.loads((out / "model.json").read_text())
    assert card["data"]["hours"] > 0
    assert card["perceptual"] == "none"
    assert (out / "official/6kbps.v0/encoder.pt").is_file()


def test_dry_run_says_what_it_costs(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main(["--data", str(root), "--out", str(out), "--recipe", "cpu", "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert "codec: 11,207,436 parameters" in text
    assert "discriminator: 0 parameters" in text
    assert "GiB" in text
    assert re.search(r"about [\d.]+ s a step \([\d.]+ to [\d.]+ s by [3-7] passes\)", text)
    assert not out.exists()


def test_dry_run_reads_a_cache_and_adds_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, scratch = tmp_path / "run", tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    Corpus([root], 16000, out / "cache")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def decoded_again(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr("sqcodec.train.data.corpus._decode", decoded_again)
    assert main(["--data", str(root), "--out", str(out), "--recipe", "cpu", "--dry-run"]) == 0
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    # torch keeps a folder of its own there.
    assert not [p for p in scratch.iterdir() if not p.name.startswith("torchinductor")]


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--set", "learning=1"], "max_steps"),
        (["--config", "7k"], "6k"),
        (["--recipe", "sota"], "published"),
        (["--set", "data.domains=opera:1"], "opera"),
        (["--resume"], "Leave out --resume"),
        (["--device", "cuda:99"], "device 'cuda:99'"),
        (["--device", "abacus"], "device 'abacus'"),
        (["--init", "nowhere.safetensors"], "nowhere.safetensors"),
        (["--set", "perceptual=./nowhere"], "perceptual=none"),
    ],
    ids=["unknown key", "unknown config", "unknown recipe", "unknown domain", "nothing to resume",
         "no GPU", "unknown device", "no weights to start from", "no perceptual model"],
)  # fmt: skip
def test_errors(
    extra: list[str], words: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--data", str(root), "--out", str(tmp_path / "run"), "--recipe", "cpu", *extra]
    assert main(command) == 1
    assert words in capsys.readouterr().err


def test_out_that_is_a_file(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").write_text("mine")
    command = ["--recipe", "cpu", "--data", str(root), "--out", str(tmp_path / "run")]
    assert main(command) == 1
    assert "expected a folder to write to; found a file" in capsys.readouterr().err


def test_a_run_is_not_overwritten(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/step-00000100.pt").write_bytes(b"days of work")
    assert main(["--recipe", "cpu", "--data", str(root), "--out", str(tmp_path)]) == 1
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


def _start(root: Path, out: Path, *extra: str, **environment: str) -> subprocess.Popen[str]:
    variables = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    command = [sys.executable, str(WORKER), str(root), str(out), *extra]
    return subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _finish(process: subprocess.Popen[str]) -> int:
    output, _ = process.communicate(timeout=240)
    print(output)
    return process.returncode


def _losses(out: Path) -> list[float]:
    rows: list[dict[str, Any]] = []
    for line in (out / "log.jsonl").read_text().splitlines():
        rows.append(json.loads(line))
    return [row["loss"] for row in rows if row["kind"] == "step"]


def _wait_for_step(process: subprocess.Popen[str], out: Path, step: int) -> None:
    for _ in range(2400):
        log = out / "log.jsonl"
        if log.is_file() and f'"step": {step},' in log.read_text():
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    raise AssertionError("the run did not get there")


def test_killed_and_resumed_equals_uninterrupted(root: Path, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    assert _finish(_start(root, whole)) == 0
    process = _start(root, part)
    _wait_for_step(process, part, 5)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert _finish(_start(root, part, "--resume")) == 0
    assert _losses(part) == _losses(whole)
    assert len(_losses(whole)) == 12
    tensors = [load_checkpoint(out)[0].state_dict() for out in (whole, part)]
    assert all(bool((tensors[0][key] == tensors[1][key]).all()) for key in tensors[0])


def test_sigterm_saves_and_says_so(root: Path, tmp_path: Path) -> None:
    process = _start(root, tmp_path / "run", "--max-steps", "100000")
    _wait_for_step(process, tmp_path / "run", 2)
    process.terminate()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, output
    assert "saved; continue with --resume" in output
    steps = len(_losses(tmp_path / "run"))
    assert (tmp_path / f"run/checkpoints/step-{steps:08d}.pt").is_file()


def test_two_processes_equal_one(root: Path, tmp_path: Path) -> None:
    """The same global batch, with noise, adversary and a clamp that acts, over five steps.

    The recipe's floor of the logarithm would multiply the rounding of sums by thousands a step as
    long as the output is near silence, and Adam's small eps that of gradients near zero.
    """
    single, double = tmp_path / "single", tmp_path / "double"
    extra = (
        "--max-steps", "5", "--every", "5",
        "--set", "losses.stft_floor=0.1", "--set", "optimizer.eps=1e-3",
    )  # fmt: skip
    assert _finish(_start(root, single, *extra)) == 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    processes = [
        _start(root, double, *extra, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2",
               MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
        for rank in range(2)
    ]  # fmt: skip
    assert [_finish(process) for process in processes] == [0, 0]
    assert _losses(double) == pytest.approx(_losses(single), rel=1e-4)
