"""Which value of a column is the best: of all rows, or of the rows at a like rate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Bold = Literal["all", "rate"]
"""Among which rows the best is sought: all, or those of one rate class."""

CLASSES: tuple[str, ...] = ("below 1 kb/s", "1 to 3 kb/s", "3 to 8 kb/s", "8 to 16 kb/s",
                            "above 16 kb/s")  # fmt: skip
"""The rate classes that Codec-SUPERB and the field compare in; a rate at an edge is of the class
that begins there, but 16 kb/s of the one that ends there."""

EDGES_BPS = (1000.0, 3000.0, 8000.0, 16000.0)
_SLACK = 0.02
"""984 b/s is what a codec "of 1 kb/s" has, 16.2 kb/s one "of 16": such rates are at the edge."""

EXPLAINED = (
    "Best in bold within a rate class (1, 3, 8 and 16 kb/s part them), as more bits are better; "
    "--bold all: of all rows."
)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A value that could be the best.

    Attributes:
        row: which row has it.
        value: the value.
        scored: over how many utterances it is taken.
        rate: `rate_class` of the row's codec.
    """

    row: int
    value: float
    scored: int
    rate: int | None


def rate_class(bitrate_bps: float | None) -> int | None:
    """The place in `CLASSES` of a bitrate; ``None`` for none: rows of unknown rate are a class of
    their own."""
    if bitrate_bps is None:
        return None
    *starts, last = EDGES_BPS
    begun = sum(bitrate_bps >= edge * (1 - _SLACK) for edge in starts)
    return begun + (bitrate_bps > last * (1 + _SLACK))


def best(candidates: Iterable[Candidate], direction: str, bold: Bold) -> set[int]:
    """The rows with the best value, of all rows or of each class.

    A row that lacks utterances which another row has does not compete: what it lacks is likely
    what was hard. One row alone has nobody to be better than.
    """
    classes: dict[int | None, list[Candidate]] = defaultdict(list)
    for one in candidates:
        classes[one.rate if bold == "rate" else None].append(one)
    found = set()
    for rows in classes.values():
        most = max(one.scored for one in rows)
        values = {one.row: one.value for one in rows if one.scored == most}
        if len(values) > 1:
            top = (max if direction == "higher" else min)(values.values())
            found |= {row for row, value in values.items() if value == top}
    return found
