"""How alike metrics rank: Spearman's correlation of every two, over clips and over codecs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sqbench.pages.clips import Clips
from sqbench.report.columns import Column
from sqbench.statistics import Values

LEAST = 4
"""Fewer pairs say nothing of a correlation."""


def correlations(
    clips: Clips, means: Mapping[str, Mapping[str, float | None]], columns: Sequence[Column]
) -> list[dict[str, Any]]:
    """One matrix a category of clips, over clips and over codecs.

    Args:
        clips: of the codecs that count (no controls, which stretch every correlation).
        means: label of a codec, key, to its value in the table.

    Returns:
        Objects of ``over`` (``clips``: all pairs of codec and clip; ``codecs``: the table's),
        ``keys``, ``values`` ``[keys, keys]`` with ``None`` where too few pairs or no spread, and
        ``n`` of pairs alike.
    """
    found = []
    labels = list(clips.values)
    for category in sorted({category for _, category in clips.datasets}, reverse=True):
        keys = [
            each.key
            for each in columns
            if each.scores and not each.by and _category(each.key) == category
        ]
        keys = [key for key in keys if any(key in clips.values[label] for label in labels)]
        if len(keys) < 2:
            continue
        n = len(clips.ids)
        pooled = {
            key: np.array(
                [
                    value if value is not None else math.nan
                    for label in labels
                    for value in clips.values[label].get(key, [None] * n)
                ]
            )
            for key in keys
        }
        single = {
            key: np.array(
                [v if (v := means[label].get(key)) is not None else math.nan for label in labels]
            )
            for key in keys
        }
        for over, columns_of in (("clips", pooled), ("codecs", single)):
            found.append({"over": over, "category": category, **_matrix(columns_of)})
    return found


def _category(key: str) -> str:
    return next((c for c in ("audio", "all") if key.startswith(f"{c}_")), "speech")


def _matrix(columns: Mapping[str, Values]) -> dict[str, Any]:
    keys = list(columns)
    values: list[list[float | None]] = []
    counts: list[list[int]] = []
    for one in keys:
        line: list[float | None] = []
        numbers: list[int] = []
        for other in keys:
            x, y = columns[one], columns[other]
            both = np.isfinite(x) & np.isfinite(y)
            numbers.append(int(both.sum()))
            a, b = x[both], y[both]
            if len(a) < LEAST or np.ptp(a) == 0 or np.ptp(b) == 0:
                line.append(None)
                continue
            line.append(round(float(np.corrcoef(_ranks(a), _ranks(b))[0, 1]), 3))
        values.append(line)
        counts.append(numbers)
    return {"keys": keys, "values": values, "n": counts}


def _ranks(values: Values) -> Values:
    """Ranks ``[n]``, equal values sharing the mean of theirs."""
    # Not SciPy's: importing its statistics takes longer than all the rest of a page.
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Values = (last - (counts - 1) / 2)[place]
    return ranks
