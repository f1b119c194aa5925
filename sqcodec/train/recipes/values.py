"""Values of a recipe from what a command line or a TOML file gives."""

from __future__ import annotations

from typing import Any

from sqcodec.typed import convert


def typed(value: Any, like: Any) -> Any:
    """``value``, a text or TOML's type, as a value of the type of ``like``.

    Raises:
        ValueError: it is none.
    """
    text = isinstance(value, str)
    if isinstance(like, dict):
        if text:
            value = dict(part.split(":", 1) for part in value.split(",") if part)
        return convert(value, dict[str, float], texts=text)
    if isinstance(like, tuple):
        parts = [p.strip() for p in value.strip("[]()").split(",")] if text else value
        floats = (float,) * len(like)
        kind: Any = tuple[floats] if isinstance(like[0], float) else tuple[int, ...]  # type: ignore[valid-type]
        return convert(parts, kind, texts=text)
    return convert(value.strip("\"'") if text else value, type(like), texts=text)


def example(value: Any) -> str:
    """How to write such a value on the command line."""
    if isinstance(value, dict):
        return "speech:3,music:1"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()
