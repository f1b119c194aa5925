"""What a run writes down: JSON without NaN, and what changed on the way."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any


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
