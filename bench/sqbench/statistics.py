"""Bootstrap intervals: of macro means, of paired differences, and of rates over pooled counts.

Utterances are resampled within their dataset, as the macro mean treats datasets as fixed; the
interval is the percentile interval (Efron and Tibshirani 1993, chapter 13). It speaks of other
utterances of the same datasets, not of other datasets. For statistics that are no means of means
(word and equal error rates) a resample is a vector of weights: how often each unit was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

N_BOOT = 2000
_CHUNK = 1 << 20  # draws or weights held at a time: 8 MB, whatever the size of a dataset


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A 95 % interval, or why there is none.

    Attributes:
        low: lower end, ``None`` where the data cannot tell.
        high: upper end.
        reason: why there is no interval, or what it leaves out; empty otherwise.
    """

    low: float | None
    high: float | None
    reason: str = ""


NOT_ASKED = "not asked for"
"""The reason of an interval that nobody wanted."""


@dataclass(frozen=True, kw_only=True)
class Paired:
    """The difference of two codecs, A - B, over the utterances that both have.

    Attributes:
        difference: unweighted mean over datasets of the mean difference.
        interval: of ``difference``.
        n: pairs.
        wins: pairs in which A is better, by the metric's direction.
        losses: pairs in which B is better; the rest are ties.
    """

    difference: float | None
    interval: Interval
    n: int
    wins: int
    losses: int

    @property
    def ties(self) -> int:
        return self.n - self.wins - self.losses

    @property
    def win_rate(self) -> float | None:
        """Share of pairs in which A is better, ties counting half."""
        return (self.wins + self.ties / 2) / self.n if self.n else None


def macro_mean(sets: Sequence[Values]) -> float | None:
    """Unweighted mean of the means of all non-empty sets; ``None`` if there is none."""
    means = [float(np.mean(values)) for values in sets if len(values)]
    return float(np.mean(means)) if means else None


def bootstrap(
    sets: Sequence[Values], *, n_boot: int = N_BOOT, seed: int = 0, level: float = 0.95
) -> Interval:
    """Interval of the macro mean of datasets.

    Args:
        sets: one array ``[n_i]`` of scores per dataset; empty ones are left out, as in the mean.
        n_boot: resamples.
        seed: equal seeds and data give equal intervals.
        level: share of the resampled means inside.

    Returns:
        The interval. With no value, or one utterance in every dataset, there is none, and the
        reason says so; a dataset of one utterance among larger ones adds no spread, which the
        reason says too.
    """
    filled = [np.asarray(values, dtype=np.float64) for values in sets if len(values)]
    if not filled:
        return Interval(low=None, high=None, reason="no value")
    single = sum(len(values) == 1 for values in filled)
    if single == len(filled):
        return Interval(low=None, high=None, reason="one utterance a dataset has no spread")
    means = np.zeros(n_boot)
    for i, values in enumerate(filled):
        means += _resampled_means(values, n_boot, np.random.default_rng([seed, i]))
    means /= len(filled)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    reason = f"{single} of {len(filled)} datasets have one utterance: no spread" if single else ""
    return Interval(low=float(low), high=float(high), reason=reason)


def paired(
    sets: Sequence[tuple[Values, Values]],
    *,
    higher_is_better: bool,
    n_boot: int = N_BOOT,
    seed: int = 0,
) -> Paired:
    """Compare two codecs on the same utterances.

    Args:
        sets: per dataset the scores of A and of B, ``[n_i]`` each, in the same order.
        higher_is_better: the metric's direction.

    Returns:
        The difference A - B with its interval, and who wins how often.
    """
    differences = [np.asarray(a, np.float64) - np.asarray(b, np.float64) for a, b in sets]
    pooled = np.concatenate(differences) if differences else np.zeros(0)
    better = pooled if higher_is_better else -pooled
    return Paired(
        difference=macro_mean(differences),
        interval=bootstrap(differences, n_boot=n_boot, seed=seed),
        n=len(pooled),
        wins=int(np.sum(better > 0)),
        losses=int(np.sum(better < 0)),
    )


def _resampled_means(values: Values, n_boot: int, rng: np.random.Generator) -> Values:
    return np.concatenate(
        [values[drawn].mean(axis=1) for drawn in _drawn(len(values), n_boot, rng)]
    )


def draw_counts(count: int, n_boot: int, seed: int, dataset: int) -> Values:
    """How often each of ``count`` utterances is in a resample of `bootstrap`, ``[n_boot, count]``.

    For many statistics of the same utterances at once.

    Args:
        dataset: the place of the dataset among those that have utterances.
    """
    found = np.zeros((n_boot, count))
    start = 0
    for drawn in _drawn(count, n_boot, np.random.default_rng([seed, dataset])):
        rows = len(drawn)
        flat = (drawn + count * np.arange(rows)[:, None]).ravel()
        found[start : start + rows] = np.bincount(flat, minlength=rows * count).reshape(rows, count)
        start += rows
    return found


def _drawn(count: int, n_boot: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Which utterances are in each resample, ``[resamples, count]``, in parts."""
    step = max(1, _CHUNK // count)
    for start in range(0, n_boot, step):
        yield rng.integers(0, count, size=(min(step, n_boot - start), count))


DrawCounts = NDArray[np.float64]


def draws(units: Sequence[str], n_boot: int, seed: int) -> Iterator[DrawCounts]:
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
    statistic: Callable[[DrawCounts], NDArray[np.float64]],
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
