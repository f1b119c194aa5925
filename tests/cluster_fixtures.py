"""Runs as commands, and what they wrote without times, for the tests of many machines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import audio_fixtures


def written(out: Path) -> list[dict[str, Any]]:
    """Records in the order in which they lie there, without times."""
    return [
        {**json.loads(line), "encode_s": None, "decode_s": None}
        if '"encode_s"' in line
        else json.loads(line)
        for file in sorted(out.glob("*/records.jsonl"))
        for line in file.read_text().splitlines()
    ]


def clips(root: Path, speech: int = 9, other: int = 4) -> Path:
    """Speech and noises of several lengths, the last one loud, one of the former unreadable."""
    for i in range(speech):
        seconds = 0.4 + 0.12 * (i * 5 % 9)
        audio_fixtures.write_wav(root / f"speech/s{i}.wav", audio_fixtures.babble(seconds, seed=i))
    for i in range(other):
        noise = audio_fixtures.babble(0.5 + 0.2 * i, seed=40 + i)
        loud = 0.99 / abs(noise).max() if i == other - 1 else 1.0
        audio_fixtures.write_wav(root / f"general/e{i}.wav", noise * loud)
    (root / "speech/s4.wav").write_bytes(b"RIFF of nothing")
    return root


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "sqbench", "run", *map(str, arguments)]


def run(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    """``sqbench run``; its status is the caller's to check."""
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, env=dict(os.environ), **more
    )
