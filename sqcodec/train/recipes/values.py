"""Values of a recipe from what a command line or a TOML file gives."""

from __future__ import annotations

from typing import Any


def typed(value: Any, like: Any) -> Any:
    """``value``, a text or TOML's type, as a value of the type of ``like``.

    Raises:
        ValueError, TypeError, AttributeError: it is none.
    """
    if isinstance(like, dict):
        if isinstance(value, str):
            pairs = [part.split(":") for part in value.split(",") if part]
            value = dict(pairs)
        return {str(name): float(weight) for name, weight in value.items()}
    if isinstance(like, bool):
        if value in (True, "true"):
            return True
        if value in (False, "false"):
            return False
        raise ValueError(value)
    if isinstance(like, tuple):
        parts = value.strip("[]()").split(",") if isinstance(value, str) else list(value)
        parsed = tuple(type(like[0])(part) for part in parts)
        if isinstance(like[0], float) and len(parsed) != len(like):
            raise ValueError(value)
        return parsed
    if isinstance(value, bool):
        raise ValueError(value)
    if isinstance(like, int) and isinstance(value, float):
        raise ValueError(value)
    return type(like)(value.strip("\"'") if isinstance(value, str) else value)


def example(value: Any) -> str:
    """How to write such a value on the command line."""
    if isinstance(value, dict):
        return "speech:3,music:1"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()
