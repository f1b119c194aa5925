"""Shares of clips, and means over clips: accuracy, agreement, likeness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sqbench.statistics import DrawCounts, Interval, interval
from sqbench.tasks.base import Estimate


def share(
    hits: Mapping[str, float], expected: int, *, n_boot: int, seed: int, percent: bool = True
) -> Estimate:
    """The mean of a number per clip (1 for right, 0 for wrong), with its interval over clips.

    Args:
        hits: by clip.
        expected: how many clips there should be.
        percent: whether the value is in percent.
    """
    if not hits:
        nothing = Interval(low=None, high=None, reason="no observation")
        return Estimate(value=None, interval=nothing, n=0, expected=expected)
    names: Sequence[str] = sorted(hits)
    values = np.array([hits[name] for name in names]) * (100.0 if percent else 1.0)

    def mean(weights: DrawCounts) -> np.ndarray:
        return np.asarray((weights * values).sum(axis=1) / weights.sum(axis=1))

    return Estimate(
        value=float(values.mean()),
        interval=interval(names, mean, n_boot=n_boot, seed=seed),
        n=len(names),
        expected=expected,
    )
