"""`tools/train_in_background.sh`: start, stop, resume by one command; a decay beside the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from train_fixtures import speech_and_music

SCRIPT = Path(__file__).parents[2] / "tools" / "train_in_background.sh"


def call(*arguments: str | Path) -> str:
    """The script's output; it must succeed."""
    return subprocess.run(
        ["bash", SCRIPT, *arguments],
        env={**os.environ, "PYTHON": sys.executable, "NICE": "0"},
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


def rows(out: Path) -> list[dict[str, float]]:
    log = out / "log.jsonl"
    lines = log.read_text().splitlines() if log.is_file() else []
    return [row for line in lines if (row := json.loads(line))["kind"] == "step"]


def wait(what: str, out: Path, steps: int) -> None:
    limit = time.monotonic() + 300
    while time.monotonic() < limit:
        if what == "steps" and len(rows(out)) >= steps:
            return
        if what == "end" and "does not run" in call("status", out):
            return
        time.sleep(0.2)
    raise AssertionError((out / "output.txt").read_text())


@pytest.mark.slow
def test_a_run_goes_on_after_a_stop_and_a_decay_leaves_it_as_it_is(tmp_path: Path) -> None:
    out, end = tmp_path / "run", tmp_path / "end"
    data = speech_and_music(tmp_path / "audio")
    call("start", out, "--config", "reduced", "--recipe", "cpu", "--data", data,
         "--max-steps", "100000", "--every", "1000", "--evaluate-every", "0", "--threads", "1",
         "--set", "batch_size=1", "--set", "optimizer.decay_share=0",
         "--set", "optimizer.warmup_steps=1")  # fmt: skip
    wait("steps", out, 3)
    with pytest.raises(subprocess.CalledProcessError):
        call("resume", out)  # it runs already
    call("stop", out)
    wait("end", out, 0)
    stopped = len(rows(out))
    before = sorted(path.name for path in (out / "checkpoints").iterdir())
    call("decay", out, end, "4", "--set", "optimizer.lr_end=1e-6")
    ending = rows(end)
    assert len(ending) == stopped + 4
    assert [row["lr"] for row in ending[-4:]] == sorted(
        (row["lr"] for row in ending[-4:]), reverse=True
    )
    assert ending[-1]["lr"] < 0.5 * ending[-4]["lr"]
    assert (end / "model.safetensors").is_file()
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == before
    assert len(rows(out)) == stopped
    call("resume", out)
    wait("steps", out, stopped + 2)
    call("stop", out)
    wait("end", out, 0)
    steps = [int(row["step"]) for row in rows(out)]
    assert steps == list(range(1, len(steps) + 1))
