"""Options of ``sqbench run`` from a file: TOML, or the run.json of an earlier run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from sqbench.errors import InputError
from sqcodec.typed import read_toml

_NOT_IN_A_FILE = ("config", "help", "json", "quiet", "progress")


def apply(path: Path, options: argparse.Namespace, parse: argparse.ArgumentParser) -> None:
    """Set every option that the file has and the command line left at its default.

    Raises:
        InputError: the file cannot be read, or an option is unknown or of the wrong type.
    """
    actions = {
        action.option_strings[0].lstrip("-"): action
        for action in parse._actions
        if action.option_strings and action.dest not in _NOT_IN_A_FILE
    }
    for key, value in _read(path).items():
        name = key.replace("_", "-")
        if name not in actions:
            raise InputError(
                f"{path}: {key}", expected=f"one of {', '.join(actions)}", found="no such option"
            )
        action = actions[name]
        if getattr(options, action.dest) == action.default:
            setattr(options, action.dest, _value(path, key, value, action))


def _read(path: Path) -> dict[str, Any]:
    what, expected = f"--config {path}", "TOML, or a run.json"
    if path.suffix != ".json":
        return read_toml(path, what=what, expected=expected)
    try:
        return _of_run(path, json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(what, expected=expected, found=str(error.strerror)) from error
    except InputError:
        raise
    except ValueError as error:
        raise InputError(what, expected=expected, found=str(error)) from error


def _of_run(path: Path, run: Any) -> dict[str, Any]:
    """What a run was asked to do, as its ``run.json`` has it."""
    found = run.get("options") if isinstance(run, dict) else None
    if not isinstance(found, dict):
        raise InputError(
            f"--config {path}",
            expected="the run.json of a run by this version",
            found="no options in it",
            remedy="Its `command` says what it was.",
        )
    return found


def _value(path: Path, key: str, value: Any, action: argparse.Action) -> Any:
    """A value of the file as the option's own type has it."""
    if action.dest == "codec":
        value = [value] if isinstance(value, str) else value
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return value
        raise InputError(f"{path}: {key}", expected="names", found=repr(value))
    if isinstance(action, argparse._StoreTrueAction):
        if isinstance(value, bool):
            return value
        raise InputError(f"{path}: {key}", expected="true or false", found=repr(value))
    if isinstance(value, list):
        value = ",".join(map(str, value))
    kind: Any = action.type or str
    try:
        if isinstance(value, bool) or (kind in (int, float) and isinstance(value, str)):
            raise ValueError
        made = kind(value)
    except (TypeError, ValueError):
        raise InputError(
            f"{path}: {key}", expected=f"as after --{key.replace('_', '-')}", found=repr(value)
        ) from None
    if action.choices is not None and made not in action.choices:
        raise InputError(
            f"{path}: {key}", expected=f"one of {', '.join(action.choices)}", found=repr(value)
        )
    return made
