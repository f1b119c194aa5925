"""What the README says a reader can do, a reader can do."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, flags=re.S)
PYTHON = [body for language, body in BLOCKS if language == "python"]
COMMANDS = [
    line.split("#")[0].strip()
    for language, body in BLOCKS
    if language == "sh"
    for line in body.replace("\\\n", " ").splitlines()
    if line.startswith(("sqbench", "python -m"))
] + list(re.findall(r"\| `(sqbench [^`]+)`", TEXT))


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command: str) -> None:
    words = shlex.split(command)
    if words == ["sqbench", "train", "run"]:
        words.append("--list-recipes")
    if words[0] == "sqbench":
        from sqbench.cli import parser

        parser().parse_args(words[1:])
    else:
        from sqcodec.train.command import parser as train_parser

        assert words[:3] == ["python", "-m", "sqcodec.train"]
        train_parser().parse_args(words[3:])


@pytest.mark.parametrize("code", [p for p in PYTHON if "import sqbench\n" in p or "SQCodec" in p])
def test_python_runs(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_example_codec_runs(tmp_path: Path) -> None:
    (code,) = (p for p in PYTHON if p.startswith("# my_codec.py"))
    assert len(code.splitlines()) < 30
    (tmp_path / "my_codec.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", "sqbench", "run", "--codec", "./my_codec.py:TwelveBit", "--data",
         "mini", "--limit", "1", "--out", "out"],
        cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_targets_and_links_exist() -> None:
    make = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make (\w+)`|^make (\w+)", TEXT, flags=re.M)):
        name = target[0] or target[1]
        assert re.search(rf"^{name}:", make, flags=re.M), name
    for link in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (ROOT / link).exists(), link
