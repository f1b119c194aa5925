"""What a run leaves behind: JSON without NaN, checkpoints in one piece, what changed on the way."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import torch

from sqcodec.errors import InputError


def finite(value: Any) -> Any:
    """The same JSON-able value with ``null`` for NaN and infinity, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list | tuple) else value


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file in one step."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    text = json.dumps(finite(content), indent=1, allow_nan=False)
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(path)


Stage = dict[str, Any]
"""What holds from a step of a run on: ``from_step``, ``recipe``, ``data``."""


def open_stage(stages: list[Stage], new: Stage) -> tuple[list[Stage], list[str]]:
    """The stages of a run that goes on as ``new``, and a line for each value that changes."""
    lines = _changes({**stages[-1], "from_step": new["from_step"]}, new)
    if not lines:
        return stages, []
    # A stage without a step left no trace in the weights.
    return [s for s in stages if s["from_step"] < new["from_step"]] + [new], lines


def _changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """One line for each value that differs between two nested records."""
    lines = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            lines += [f"{key}.{line}" for line in _changes(before, after)]
        elif before != after:
            lines.append(f"{key}: {json.dumps(before)} -> {json.dumps(after)}")
    return lines


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint in one step.

    Raises:
        InputError: it cannot be written; the previous one is intact.
    """
    partial = path.with_suffix(".partial")
    try:
        torch.save(state, partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise InputError(
            str(path),
            expected="to write a checkpoint",
            found=str(error),
            remedy="Free space or choose another --out; the previous checkpoint is intact.",
        ) from error


def read_state(path: Path, keys: set[str]) -> dict[str, Any]:
    """Read a checkpoint that holds ``keys``, on the CPU.

    Raises:
        InputError: missing, unreadable, or without one of the keys.
    """
    if not path.is_file():
        raise InputError(str(path), expected="a checkpoint", found="no such file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            str(path), expected="a checkpoint", found=f"{type(error).__name__}: {error}"
        ) from error
    missing = sorted(keys - set(state)) if isinstance(state, dict) else sorted(keys)
    if missing:
        raise InputError(
            str(path),
            expected="a checkpoint of this trainer",
            found=f"a file without {', '.join(missing)}",
            remedy="Start a new run from exported weights: --init RUN/model.safetensors.",
        )
    return dict(state)
