"""`tools/train_in_legs.sh`: packed, trained in legs, brought home, and the same as in one go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from train_fixtures import speech_and_music

SCRIPT = Path(__file__).parents[2] / "tools" / "train_in_legs.sh"
STEPS = 24
OPTIONS = (
    "--config", "reduced", "--recipe", "gpu", "--max-steps", str(STEPS), "--every", "5",
    "--evaluate-every", "0", "--set", "batch_size=1", "--set", "windows=1", "--set", "ema=0.5",
    "--set", "select=snr_db", "--threads", "1",
)  # fmt: skip
MORE = 3


def call(*arguments: str | Path, **environment: str) -> int:
    return subprocess.run(
        ["bash", SCRIPT, *arguments],
        env={**os.environ, "PYTHON": sys.executable, **environment},
        check=False,
    ).returncode


def stopping(folder: Path, log: Path, rows: int) -> str:
    """An interpreter that is told to stop once the log has so many rows."""
    path = folder / "python-until"
    path.write_text(
        f"#!/bin/bash\n{sys.executable} \"$@\" & pid=$!\n"
        f"until [ \"$(wc -l < {log} 2>/dev/null || echo 0)\" -ge {rows} ]; do sleep 0.05; done\n"
        "kill -TERM $pid; wait $pid\n"
    )  # fmt: skip
    path.chmod(0o755)
    return str(path)


@pytest.mark.slow
def test_a_run_in_legs_ends_where_one_run_does(tmp_path: Path) -> None:
    parts, unpacked = tmp_path / "parts", str(tmp_path / "unpacked")
    assert call("pack", speech_and_music(tmp_path / "audio"), parts) == 0

    def leg(name: str, seconds: str = "600", **environment: str) -> int:
        out = tmp_path / name
        return call("leg", parts, seconds, out, *OPTIONS, AUDIO_DIR=unpacked, **environment)

    # Out of time before there is anything to save; stopped in the middle; to the end; once more.
    assert leg("legs", seconds="2", SAVE_S="1") == MORE
    python = stopping(tmp_path, tmp_path / "legs" / "log.jsonl", 8)
    assert leg("legs", PYTHON=python) == MORE
    assert leg("legs") == 0
    assert leg("legs") == 0
    assert leg("whole") == 0
    weights = []
    for name in ("legs", "whole"):
        home = tmp_path / f"{name}-home"
        assert call("bring", tmp_path / name, tmp_path / f"{name}-parts") == 0
        assert call("join", tmp_path / f"{name}-parts", home) == 0
        rows = [json.loads(row) for row in (home / "log.jsonl").read_text().splitlines()]
        assert max(row["step"] for row in rows) == STEPS
        weights.append(load_file(home / "model.safetensors"))
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_other_parts_are_other_audio(tmp_path: Path) -> None:
    """The interpreter is `echo`, which shows what would be trained on."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(name)
    parts = tmp_path / "parts"
    seen = []
    for name in ("one", "two", "one"):
        assert call("pack", tmp_path / name, parts) == 0
        done = subprocess.run(
            ["bash", SCRIPT, "leg", parts, "61", tmp_path / "out"],
            env={**os.environ, "PYTHON": "echo", "AUDIO_DIR": str(tmp_path / "audio")},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        folder = Path(done.stdout.split("--data ")[1].split()[0])
        assert (folder / "a.txt").read_text() == name
        seen.append(folder)
    assert seen[0] == seen[2] != seen[1]


def test_older_parts_go_and_missing_ones_show(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "a.bin").write_bytes(os.urandom(1000))
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "audio.tar.0007").write_text("of an older, longer corpus")
    assert call("pack", tmp_path / "audio", parts) == 0
    assert [path.name for path in sorted(parts.iterdir())] == ["audio.sum", "audio.tar.0000"]
    (parts / "audio.tar.0000").write_bytes(b"cut off")
    where = {"AUDIO_DIR": str(tmp_path / "unpacked"), "PYTHON": "echo"}
    assert call("leg", parts, "61", tmp_path / "out", **where) == 1


@pytest.mark.parametrize("seconds", ["60", "0", "-5", "soon", "1.5"])
def test_too_few_seconds(tmp_path: Path, seconds: str) -> None:
    done = subprocess.run(
        ["bash", SCRIPT, "leg", tmp_path, seconds, tmp_path / "out"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "SECONDS: expected" in done.stderr
