"""``sqbench train``: the trainer's commands under one name."""

from __future__ import annotations

from pathlib import Path

import pytest

from sqbench.cli import main, parser
from sqcodec.train import command
from sqcodec.train.recipes.recipe import Recipe, keys, shipped_recipes


def test_run_has_the_trainer_s_options() -> None:
    arguments = ["--data", "a", "--out", "b", "--set", "ema=0.9", "--every", "7"]
    ours = vars(parser().parse_args(["train", "run", *arguments]))
    theirs = vars(command.parser().parse_args(arguments))
    assert {key: ours[key] for key in theirs} == theirs
    assert ours["handler"] is command.run


def test_recipes_and_keys_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "run", "--list-recipes"])
    assert ended.value.code == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == shipped_recipes()
    with pytest.raises(SystemExit):
        main(["train", "ablation", "--list-keys"])
    lines = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    assert lines.keys() == dict(keys(Recipe())).keys()
    assert lines["optimizer.lr"] == ["float", "0.0005"]


def test_errors_are_the_trainer_s(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "curve", str(tmp_path)]) == 1
    assert "log of a training run" in capsys.readouterr().err
