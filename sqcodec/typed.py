"""Values of TOML and JSON files as typed objects, and the field at fault where they are none.

The one reader of such files in the project: msgspec finds what is wrong and where, and what is said
of it is read off the annotation at that place, in words of the file rather than of Python.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict

import msgspec

from sqcodec.errors import InputError

T = TypeVar("T")

_WORDS = {str: "a text", float: "a number", int: "a whole number", bool: "true or false",
          NoneType: "null"}  # fmt: skip
_LOCATION = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]|(?P<entry>\[\.\.\.\])")
_MISSING = re.compile(r"missing required field `(?P<name>[^`]*)`")
_SHOWN = 60
"""Characters of a wrong value in a message."""


class FieldError(ValueError):
    """A value that is not of its type.

    Attributes:
        path: where it is, such as ``source.selection.a.domain``; empty for the whole.
        expected: what it should be, in words.
        found: what it is, as JSON; ``nothing`` where it is missing.
    """

    def __init__(self, path: str, expected: str, found: str) -> None:
        self.path, self.expected, self.found = path, expected, found
        super().__init__(f"{path} {found}, expected {expected}".strip())


def convert(value: Any, kind: type[T], *, where: str = "", texts: bool = False) -> T:
    """``value``, of what `json` or `tomllib` reads, as a ``kind``.

    Args:
        kind: a ``TypedDict``, a dataclass, or a plain or generic type of those.
        where: put before the path in a message.
        texts: take ``"3"`` for a number and ``"true"`` for true, as a command line gives them.

    Raises:
        FieldError: it is none.
        InputError: from a check of the class's own (``__post_init__``).
    """
    try:
        return msgspec.convert(value, kind, strict=not texts)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, InputError):  # of a check of the class's own
            raise error.__cause__ from None
        raise _located(str(error), value, kind, where) from None


def read_toml(path: Path, *, what: str = "", expected: str = "a TOML file") -> dict[str, Any]:
    """The content of a TOML file; ``what`` names it in a message where its path does not do.

    Raises:
        InputError: it cannot be read, or is no TOML in UTF-8.
    """
    what = what or str(path)
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(what, expected=expected, found=error.strerror or str(error)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(what, expected=f"{expected}, in UTF-8", found=str(error)) from None


def in_words(kind: Any) -> str:
    """A type as a message says it: ``a number or null``, ``a list of whole numbers``."""
    return " or ".join(dict.fromkeys(_words(kind)))


def _words(kind: Any) -> Iterator[str]:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        for part in sorted(args, key=lambda part: part is NoneType):
            yield from _words(part)
    elif origin is Literal:
        yield from sorted(str(value) for value in args)
    elif kind in _WORDS:
        yield _WORDS[kind]
    elif origin in (list, tuple) or kind in (list, tuple):
        inner = in_words(args[0]).removeprefix("a ") if args else "value"
        yield f"a list of {inner}s" if " " not in inner.removeprefix("whole ") else "a list"
    elif _fields(kind):
        yield "an object with " + ", ".join(_fields(kind))
    else:
        yield "an object"


def _fields(kind: Any) -> dict[str, Any]:
    """Fields of a ``TypedDict`` or a dataclass with their types; empty of anything else."""
    if is_typeddict(kind) or dataclasses.is_dataclass(kind):
        return get_type_hints(kind)
    return {}


def _located(message: str, value: Any, kind: Any, where: str) -> FieldError:
    """The error with the field's full path: of an entry of a mapping msgspec does not say which."""
    location = _LOCATION.search(message)
    path = [where] if where else []
    for step in _STEP.finditer(location["path"] if location else ""):
        kind = _of_value(kind, value)
        if step["name"]:
            name: Any = step["name"]
            kind = _fields(kind).get(name, Any)
        elif step["index"]:
            name, args = int(step["index"]), get_args(kind)
            kind = args[min(name, len(args) - 1)] if args and args[-1] is not ... else args[0]
        else:
            kind = get_args(kind)[1]
            name = next(key for key, entry in value.items() if not _fits(entry, kind))
        value = value[name]
        path.append(str(name))
    if missing := _MISSING.search(message):
        name = missing["name"]
        kind = _fields(_of_value(kind, value)).get(name, Any)
        return FieldError(".".join([*path, name]), in_words(kind), "nothing")
    shown = json.dumps(value, ensure_ascii=False, default=str)
    shown = shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"
    return FieldError(".".join(path), in_words(kind), shown)


def _of_value(kind: Any, value: Any) -> Any:
    """Of a union the one member that a container's value can be of."""
    if get_origin(kind) not in (Union, UnionType):
        return kind
    containers = [part for part in get_args(kind) if part not in _WORDS]
    wanted = dict if isinstance(value, dict) else list
    fitting = [p for p in containers if (get_origin(p) in (list, tuple)) == (wanted is list)]
    return fitting[0] if fitting else kind


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True
