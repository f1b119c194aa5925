"""Which value of a column is the best: of all rows, or of the rows at a like rate."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Bold = Literal["all", "rate"]
"""Among which rows the best is sought: all, or those of one rate class."""

EDGES_BPS = (1250.0, 2500.0, 5000.0, 10000.0, 20000.0, 40000.0)
"""Where rate classes end. Octaves, laid so that usual rates (0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16,
24 kbps) are well inside: codecs of one name on the box, 5989 and 6000 b/s, are never parted."""

EXPLAINED = (
    "Best in bold within a rate class (up to "
    + ", ".join(f"{edge / 1000:g}" for edge in EDGES_BPS)
    + " kbps, and above), as more bits are better; --bold all: of all rows."
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
    """The class of a bitrate, by `EDGES_BPS`, an edge belonging to what is below it; ``None`` for
    none: rows of unknown rate are a class of their own."""
    return None if bitrate_bps is None else bisect_left(EDGES_BPS, bitrate_bps)


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
