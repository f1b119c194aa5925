"""What docs/application.md and docs/your-metric.md say of evaluators, is so."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sqbench.cli import parser
from sqbench.tasks.evaluators.catalogue import EVALUATORS, choose
from sqbench.tasks.evaluators.clap_msclap import SETUP

TEXT = (Path(__file__).parents[2] / "docs/application.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^sqbench .*$", TEXT, flags=re.M)
OWN = (Path(__file__).parents[2] / "docs/your-metric.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command: str) -> None:
    options = parser().parse_args(shlex.split(command)[1:])
    if getattr(options, "evaluators", None) and ".py:" not in options.evaluators:
        assert len(choose(options.evaluators)) == 4


def test_every_evaluator_is_there() -> None:
    assert all(f"`{name}`" in TEXT for name in EVALUATORS.names())
    assert SETUP in TEXT


def test_the_example_evaluator_runs(tmp_path: Path) -> None:
    pytest.importorskip("whisper", reason="openai-whisper's normaliser is not installed")
    (code,) = re.findall(r"```python\n(# my_evaluator.py.*?)```", OWN, flags=re.S)
    (tmp_path / "my_evaluator.py").write_text(code)
    (command,) = (c for c in re.findall(r"^sqbench .*$", OWN, flags=re.M) if "my_evaluator" in c)
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "4 predicted" in done.stderr
