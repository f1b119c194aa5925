"""Per clip: values of every codec, why some have none, and the worst of each codec."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqbench.report.columns import Column
from sqbench.store.record import Record
from sqbench.store.row import ResultRow, column

WORST = 10
DIGITS = 5
"""Significant, of a clip's values: what a page shows is never finer."""


@dataclass(frozen=True, kw_only=True)
class Clips:
    """The clips of a source, and what was measured on them.

    Attributes:
        ids: utterances, by dataset.
        datasets: (name, category) of each dataset, and ``of`` of each clip its place there.
        values: label of a row, key of a column, to a value a clip (``None`` where there is none).
        missing: label, key, to (clip, text) of those without a value.
        worst: label, key, to the clips with the worst values, worst first.
    """

    ids: tuple[str, ...]
    datasets: tuple[tuple[str, str], ...]
    of: tuple[int, ...]
    values: Mapping[str, Mapping[str, Sequence[float | None]]] = field(repr=False)
    missing: Mapping[str, Mapping[str, Sequence[tuple[int, str]]]] = field(repr=False)
    worst: Mapping[str, Mapping[str, Sequence[int]]] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """As the page has it: reasons once each, and numbers of `DIGITS` significant digits."""
        texts: dict[str, int] = {}
        missing = {
            label: {
                key: [[clip, texts.setdefault(text, len(texts))] for clip, text in of_key]
                for key, of_key in of_row.items()
                if of_key
            }
            for label, of_row in self.missing.items()
        }
        return {
            "ids": self.ids,
            "datasets": [{"name": name, "category": category} for name, category in self.datasets],
            "dataset": self.of,
            "values": {
                label: {key: [short(v) for v in some] for key, some in of_row.items()}
                for label, of_row in self.values.items()
            },
            "missing": missing,
            "reasons": list(texts),
            "worst": self.worst,
        }


def short(value: float | None) -> float | None:
    """A number of `DIGITS` significant digits."""
    return None if value is None else float(f"{value:.{DIGITS}g}")


def collect(rows: Sequence[ResultRow], columns: Iterable[Column]) -> Clips:
    """What the score records of these rows say of each clip."""
    keys = {each.key: each for each in columns if each.scores and not each.by}
    known: dict[tuple[str, str, str], None] = {}
    for row in rows:
        known.update(dict.fromkeys(_place(record) for record in row.records))
    order = sorted(known)
    at = {place: i for i, place in enumerate(order)}
    datasets = list(dict.fromkeys(place[:2] for place in order))
    values: dict[str, dict[str, list[float | None]]] = {}
    missing: dict[str, dict[str, list[tuple[int, str]]]] = {}
    for row in rows:
        of_row = values.setdefault(row.label, {})
        without = missing.setdefault(row.label, {})
        for record in row.records:
            key = column(record["category"], record["metric"] or "")
            if key not in keys or key not in row.cells:
                continue
            clip = at[_place(record)]
            some = of_row.setdefault(key, [None] * len(order))
            if record["status"] == "ok" and record["value"] is not None:
                some[clip] = float(record["value"])
            else:
                without.setdefault(key, []).append((clip, _text(record)))
    return Clips(
        ids=tuple(place[2] for place in order),
        datasets=tuple((name, category) for category, name in datasets),
        of=tuple(datasets.index(place[:2]) for place in order),
        values=values,
        missing=missing,
        worst={
            label: {key: worst(some, keys[key]) for key, some in of_row.items()}
            for label, of_row in values.items()
        },
    )


def worst(values: Sequence[float | None], of: Column) -> list[int]:
    """The clips with the `WORST` worst values; low ones where the direction is not known."""
    sign = -1.0 if of.direction == "lower" else 1.0
    there = [(sign * value, clip) for clip, value in enumerate(values) if value is not None]
    return [clip for _, clip in sorted(there)[:WORST]]


def why_missing(row: ResultRow, key: str) -> str:
    """Why a cell lacks values: reasons with their counts, and what was never tried."""
    if key not in row.cells:
        return "not measured"
    cell = row.cells[key]
    count = Counter(
        _text(record)
        for record in row.records
        if record["status"] in ("undefined", "failed")
        and column(record["category"], record["metric"] or "") == key
    )
    absent = cell.expected - cell.scored - sum(count.values())
    parts = [f"{text} ({n})" for text, n in count.most_common(3)]
    if len(count) > 3:
        parts.append(f"{len(count) - 3} more reasons")
    if absent > 0:
        parts.append(f"not computed yet ({absent})")
    dropped = sorted({s.dropped for s in cell.sets if s.dropped})
    return "; ".join([*parts, *(f"dataset dropped: {text}" for text in dropped)])


def _place(record: Record) -> tuple[str, str, str]:
    return record["category"], record["dataset"], record["utterance"]


def _text(record: Record) -> str:
    reason = " ".join((record["reason"] or record["status"]).split())
    known = reason.startswith(f"{record['status']}:")
    return reason if known else f"{record['status']}: {reason}"
