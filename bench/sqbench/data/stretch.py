"""Which stretch of a file a clip is: columns ``start`` or ``offset``, ``end``, ``duration``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqbench.errors import InputError

STARTS = ("start", "offset", "start_s", "start_time", "offset_s")
ENDS = ("end", "end_s", "end_time")
DURATIONS = ("duration", "duration_s")
COLUMNS = frozenset((*STARTS, *ENDS, *DURATIONS))

_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d*)?)")


@dataclass(frozen=True)
class Stretch:
    """A part of a file, in seconds; to the file's end where ``duration`` is ``None``."""

    start: float = 0.0
    duration: float | None = None

    @property
    def label(self) -> str:
        """What tells the stretch from others of its file, for an id."""
        end = "end" if self.duration is None else f"{self.start + self.duration:.3f}"
        return f"{self.start:.3f}-{end}"


def stretch_of(cells: Mapping[str, str], where: str) -> Stretch:
    """The stretch that a row's columns name: the whole file where they name none.

    Raises:
        InputError: no time in seconds (or ``h:m:s``), columns that contradict each other, or an
            end that is not behind the start; names ``where``.
    """
    start = _one(cells, STARTS, where)
    end = _one(cells, ENDS, where)
    duration = _one(cells, DURATIONS, where)
    begin = start or 0.0
    if end is not None:
        if end <= begin:
            raise _wrong(where, "an end behind the start", f"{begin:g} to {end:g}")
        # Rounded to what is written: 3.3 - 1.1 is not 2.2.
        length = round(end - begin, 9)
        # Beside both, a duration may be the whole recording's.
        if duration is not None and start is None and abs(duration - length) > 0.1:
            raise _wrong(where, "an end and a duration that agree", f"{end:g} and {duration:g}")
        duration = length
    if duration is not None and duration <= 0:
        raise _wrong(where, "a duration above 0", f"{duration:g}")
    return Stretch(begin, duration)


def _one(cells: Mapping[str, str], names: tuple[str, ...], where: str) -> float | None:
    found = {name: _seconds(cells[name], name, where) for name in names if name in cells}
    if len(set(found.values())) > 1:
        text = ", ".join(f"{name} {value:g}" for name, value in found.items())
        raise _wrong(where, f"one of {', '.join(found)}", text)
    return next(iter(found.values()), None)


def _seconds(text: str, name: str, where: str) -> float:
    clock = _CLOCK.fullmatch(text)
    try:
        value = (
            3600.0 * int(clock[1] or 0) + 60.0 * int(clock[2]) + float(clock[3])
            if clock
            else float(text)
        )
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise _wrong(where, f"seconds in column {name!r}", repr(text))
    return value


def _wrong(where: str, expected: str, found: str) -> InputError:
    return InputError(where, expected=expected, found=found, remedy="Times are in seconds.")
