"""What rows have in common: the line whose points they are, and the rate that places them on it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from sqbench.report.table import CONTROLS, TableRow
from sqbench.store.row import ResultRow

_NEAR = 0.05


def is_control(row: ResultRow) -> bool:
    """Whether a codec is there to check the ruler."""
    return row.codec in CONTROLS


def lines(rows: Sequence[ResultRow]) -> dict[str, str]:
    """Label of a row to the name of the line that it is a point of.

    A line is a family (the first word of codecs' names) at one sample rate with one kind of
    weights: its points differ in bits alone. Another version of a point is a line of its own.
    """
    rates: dict[str, set[object]] = {}
    weights: dict[str, set[str]] = {}
    for row in rows:
        rates.setdefault(_family(row.codec), set()).add(row.description.get("sample_rate"))
        weights.setdefault(_family(row.codec), set()).add(_source(row))
    found: dict[str, str] = {}
    taken: Counter[tuple[str, str]] = Counter()
    for row in rows:
        family = _family(row.codec)
        parts = [family]
        rate = row.description.get("sample_rate")
        if len(rates[family]) > 1 and isinstance(rate, int):
            parts.append(f"{rate / 1000:g} kHz")
        if len(weights[family]) > 1:
            parts.append(_source(row))
        name = " ".join(parts)
        taken[name, row.codec] += 1
        found[row.label] = name if taken[name, row.codec] == 1 else row.label
    return found


def published_line(label: str, sample_rate: int) -> str:
    """The line of a row of the paper, as two of its families have one name."""
    return f"{label.split()[0]} {sample_rate / 1000:g} kHz (paper)"


def rate_of(row: TableRow) -> float | None:
    """The bits a second that a row is filed under: measured, or nominal where nothing was.

    Where the two lie within 5 %, as padding makes them, the nominal ones are what was meant.
    """
    measured, nominal = (
        row.entries[key].value if key in row.entries else None
        for key in ("measured_bps", "bitrate_bps")
    )
    if measured is None or nominal is None:
        return nominal if measured is None else measured
    return nominal if abs(measured - nominal) <= _NEAR * nominal else measured


def _family(codec: str) -> str:
    return re.split(r"[-@]", codec, maxsplit=1)[0]


def _source(row: ResultRow) -> str:
    weights = row.description.get("weights")
    return str(weights.get("source", "none")) if isinstance(weights, dict) else "none"
