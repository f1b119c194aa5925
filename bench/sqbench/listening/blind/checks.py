"""JSON that somebody sent: every field's type, length and range checked, one clear error a fault.

Results come from strangers' machines by mail. Nothing after this module looks at types again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from sqbench.errors import InputError

MOST_BYTES = 16 * 2**20
MOST_CHARACTERS = 200
_DIGITS = 18
_SHOWN = 60  # characters of a value
_NAMED = 4  # values that an error lists


@dataclass(frozen=True)
class Fields:
    """An object of a file, and where in the file it stands.

    Attributes:
        remedy: what to do about any fault of the file.
    """

    path: Path
    where: str
    content: dict[str, Any]
    remedy: str

    def wrong(self, name: str, expected: str, found: object) -> NoReturn:
        """Raise the error of a field."""
        at = f"{self.where}.{name}" if self.where else name
        raise InputError(
            f"{self.path}: {at}", expected=expected, found=shown(found), remedy=self.remedy
        )

    def text(self, name: str, *, most: int = MOST_CHARACTERS, printable: bool = True) -> str:
        """A text that is not empty; on one line, unless any may be."""
        value = self.content.get(name)
        if not (isinstance(value, str) and value.strip()):
            self.wrong(name, "a text", value)
        if printable and not value.isprintable():
            self.wrong(name, "a text of one line", value)
        if len(value) > most:
            self.wrong(name, f"at most {most} characters", len(value))
        return str(value)

    def choice(self, name: str, values: tuple[str, ...]) -> str:
        """One of some texts."""
        value = self.content.get(name)
        if value not in values:
            many = len(values) > _NAMED
            self.wrong(name, f"one of {len(values)}" if many else " or ".join(values), value)
        return str(value)

    def number(self, name: str, low: float, high: float) -> float:
        """A number in a range."""
        value: Any = self.content.get(name)
        # Not isinstance: true and false are integers to Python.
        if type(value) not in (int, float) or not low <= value <= high:
            self.wrong(name, f"a number from {low:g} to {high:g}", value)
        return float(value)

    def integer(self, name: str) -> int:
        """A whole number, 0 or more."""
        value = self.content.get(name)
        if type(value) is not int or value < 0:
            self.wrong(name, "a whole number", value)
        return int(value)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.content.get(name)
        if type(value) is not bool:
            self.wrong(name, "true or false", value)
        return bool(value)

    def objects(self, name: str) -> Iterator[Fields]:
        """The objects of a list."""
        value = self.content.get(name)
        if not isinstance(value, list):
            self.wrong(name, "a list", value)
        for number, each in enumerate(value):
            at = f"{self.where}.{name}[{number}]" if self.where else f"{name}[{number}]"
            if not isinstance(each, dict):
                raise InputError(
                    f"{self.path}: {at}", expected="an object", found=shown(each),
                    remedy=self.remedy,
                )  # fmt: skip
            yield Fields(self.path, at, each, self.remedy)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self.content.get(name)
        if not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            self.wrong(name, "a list of texts", value)
        return tuple(value)


def load(path: Path, form: str, version: int, remedy: str) -> Fields:
    """The object of a file that says it has this format in this version.

    Raises:
        InputError: it cannot be read, is too long, no JSON object, or of another format or version.
    """
    expected = f"JSON of the format {form}, version {version}"

    def refuse(found: str) -> NoReturn:
        raise InputError(str(path), expected=expected, found=found, remedy=remedy) from None

    try:
        with open(path, "rb") as handle:
            content = handle.read(MOST_BYTES + 1)
    except OSError as error:
        refuse(error.strerror or type(error).__name__)
    if len(content) > MOST_BYTES:
        refuse(f"more than {MOST_BYTES >> 20} MiB")
    try:
        found = json.loads(
            content.decode("utf-8-sig"),
            parse_constant=_no_constant, parse_float=_float, parse_int=_int,
            object_pairs_hook=_object,
        )  # fmt: skip
        json.dumps(found, ensure_ascii=False).encode("utf-8")  # half a surrogate cannot be printed
    except json.JSONDecodeError as error:
        what = "an empty file" if not content.strip() else "no JSON"
        why = error.msg.removesuffix(" at")  # of a text that does not end
        refuse(f"{what} ({why} at line {error.lineno}, column {error.colno})")
    except UnicodeError:
        refuse("bytes that are no UTF-8")
    except RecursionError:
        refuse("JSON that is nested too deeply")
    except ValueError as error:
        refuse(str(error))
    if not isinstance(found, dict):
        refuse(f"JSON that is no object: {shown(found)}")
    if found.get("format") != form:
        refuse(f"format {shown(found.get('format'))}")
    if found.get("version") != version or type(found["version"]) is not int:
        refuse(f"version {shown(found.get('version'))}")
    return Fields(path, "", found, remedy)


def shown(value: object) -> str:
    """A value as an error shows it: on one line, and not all of it."""
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name}, which is no number")


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"the number {digits[:_DIGITS]}, which is too large")
    return value


def _int(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(f"the number {digits[:_DIGITS]}..., which is too large")
    return int(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {shown(twice)} twice")
    return found
