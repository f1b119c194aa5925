"""Bootstrap intervals of statistics that are no means of means: rates over pooled counts.

Percentile intervals (Efron and Tibshirani 1993, chapter 13), as `sqbench.results.statistics` has
them; here a resample is a vector of weights, how often each unit was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sqbench.results.statistics import NOT_ASKED, Interval

_CHUNK = 1 << 20  # weights held at a time: 8 MB

Weights = NDArray[np.float64]


def draws(units: Sequence[str], n_boot: int, seed: int) -> Iterator[Weights]:
    """How often each of the units was drawn, ``[resamples, len(units)]``, in parts.

    Equal units stand together: the distinct ones are what is drawn.
    """
    names, place = np.unique(np.asarray(units, dtype=object).astype(str), return_inverse=True)
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK // max(1, len(units)))
    for start in range(0, n_boot, step):
        count = min(step, n_boot - start)
        chance = np.full(len(names), 1.0 / len(names))
        yield rng.multinomial(len(names), chance, size=count)[:, place].astype(np.float64)


def interval(
    units: Sequence[str],
    statistic: Callable[[Weights], NDArray[np.float64]],
    *,
    n_boot: int,
    seed: int,
    unit: str = "clips",
) -> Interval:
    """The interval of a statistic of weighted units.

    Args:
        units: what is resampled, a name for each item.
        statistic: ``[resamples]`` of weights ``[resamples, items]``; NaN where it has no value.
        unit: what the units are, for the reason where there are too few.
    """
    if n_boot == 0:
        return Interval(low=None, high=None, reason=NOT_ASKED)
    if len(set(units)) < 2:
        return Interval(low=None, high=None, reason=f"under two {unit} have no spread")
    values = np.concatenate([statistic(weights) for weights in draws(units, n_boot, seed)])
    values = values[np.isfinite(values)]
    if len(values) < n_boot / 2:
        return Interval(low=None, high=None, reason=f"too few {unit} to resample")
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(low=float(low), high=float(high))
