"""Agreement of a metric with mean ratings, with intervals by bootstrap over items.

*Pair accuracy*: of all pairs of conditions of one item whose mean ratings are at least a margin
apart, the share that the metric puts the same way round; equal values count half, 0.5 is chance.
*Spearman's rho* and *Kendall's tau-b* over stimuli, and over the means of conditions.

A resample draws items with replacement, with all their conditions. It is a vector of weights here:
how often each item was drawn. Ranks and pairs of a resample are sums over weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sqbench.statistics import N_BOOT, Interval

Array = NDArray[np.float64]

MARGIN = 10.0
"""Points of a scale from 0 to 100."""
_CHUNK = 1 << 22  # numbers held at once by comparisons of conditions


@dataclass(frozen=True, kw_only=True)
class AgreementEstimate:
    """A statistic and its 95 % interval; no value where the data cannot tell."""

    value: float | None
    interval: Interval


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One metric on one part of a table.

    Attributes:
        metric: its name.
        part: ``all``, or what the part has in common.
        stimuli, items, conditions: how many have a value.
        undefined: stimuli without one.
        pairs: pairs of one item that ratings tell apart.
        accuracy: pair accuracy.
        spearman, kendall: over stimuli.
        condition_spearman, condition_kendall: over means of conditions.
    """

    metric: str
    part: str
    stimuli: int
    items: int
    conditions: int
    undefined: int
    pairs: int
    accuracy: AgreementEstimate
    spearman: AgreementEstimate
    kendall: AgreementEstimate
    condition_spearman: AgreementEstimate
    condition_kendall: AgreementEstimate


def agreement(
    metric: str,
    part: str,
    items: Sequence[str],
    conditions: Sequence[str],
    ratings: Sequence[float],
    values: Sequence[float],
    *,
    higher_is_better: bool,
    margin: float = MARGIN,
    n_boot: int = N_BOOT,
    seed: int = 0,
) -> Agreement:
    """Compare values with ratings, stimulus by stimulus.

    Args:
        items, conditions: of each stimulus.
        ratings: mean rating of each.
        values: of the metric; NaN where it has none.
    """
    there = np.isfinite(np.asarray(values, np.float64))
    item = np.unique(np.asarray(items)[there], return_inverse=True)[1]
    names, condition = np.unique(np.asarray(conditions)[there], return_inverse=True)
    rated = np.asarray(ratings, np.float64)[there]
    value = np.asarray(values, np.float64)[there] * (1.0 if higher_is_better else -1.0)
    count = int(item.max()) + 1 if item.size else 0
    weights = np.ones((1 + n_boot, count))
    if count > 1:
        rng = np.random.default_rng(seed)
        drawn = rng.integers(0, count, size=(n_boot, count))
        weights[1:] = (drawn[:, :, None] == np.arange(count)).sum(axis=1)
    right, pairs = _pairs(item, count, rated, value, margin)
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = (weights @ right) / (weights @ pairs)
        per_stimulus = weights[:, item]
        spearman = _spearman(rated, value, per_stimulus)
        kendall = _kendall(rated, value, per_stimulus)
        means = [_means(each, condition, len(names), per_stimulus) for each in (rated, value)]
        of_conditions = _of_conditions(means[0], means[1])
    why = "one item has no spread" if count < 2 else ""
    return Agreement(
        metric=metric,
        part=part,
        stimuli=int(there.sum()),
        items=count,
        conditions=len(names),
        undefined=int((~there).sum()),
        pairs=int(pairs.sum()),
        accuracy=_estimate(accuracy, why),
        spearman=_estimate(spearman, why),
        kendall=_estimate(kendall, why),
        condition_spearman=_estimate(of_conditions[0], why),
        condition_kendall=_estimate(of_conditions[1], why),
    )


def _pairs(
    item: NDArray[np.intp], count: int, rated: Array, value: Array, margin: float
) -> tuple[Array, Array]:
    """By item, how many pairs are the right way round, and how many there are."""
    right, pairs = np.zeros(count), np.zeros(count)
    for index in range(count):
        of_item = item == index
        apart = rated[of_item][:, None] - rated[of_item]
        better = value[of_item][:, None] - value[of_item]
        told = apart >= margin
        pairs[index] = told.sum()
        right[index] = ((better > 0) & told).sum() + 0.5 * ((better == 0) & told).sum()
    return right, pairs


def _spearman(x: Array, y: Array, weights: Array) -> Array:
    """``[B]`` of stimuli weighted by ``[B, n]``."""
    return _correlation(_ranks(x, weights), _ranks(y, weights), weights)


def _ranks(values: Array, weights: Array) -> Array:
    """Mean ranks ``[B, n]`` where the value at n is there as often as its weight says."""
    below = (values[:, None] < values).astype(np.float64)
    return np.asarray(weights @ (below + 0.5 * (values[:, None] == values)) + 0.5)


def _correlation(x: Array, y: Array, weights: Array) -> Array:
    total = weights.sum(axis=1, keepdims=True)
    x = x - (weights * x).sum(axis=1, keepdims=True) / total
    y = y - (weights * y).sum(axis=1, keepdims=True) / total
    product = (weights * x * y).sum(axis=1)
    return np.asarray(
        product / np.sqrt((weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1))
    )


def _kendall(x: Array, y: Array, weights: Array) -> Array:
    """Tau-b ``[B]``."""
    dx, dy = np.sign(x[:, None] - x), np.sign(y[:, None] - y)

    def pairs(matrix: Array) -> Array:
        return np.asarray(((weights @ matrix) * weights).sum(axis=1))

    return np.asarray(pairs(dx * dy) / np.sqrt(pairs(dx * dx) * pairs(dy * dy)))


def _means(values: Array, condition: NDArray[np.intp], count: int, weights: Array) -> Array:
    """Means of conditions ``[B, count]``; NaN where a resample has none of one."""
    member = (condition[:, None] == np.arange(count)).astype(np.float64)
    return np.asarray((weights @ (member * values[:, None])) / (weights @ member))


def _of_conditions(x: Array, y: Array) -> tuple[Array, Array]:
    """Spearman and Kendall ``[B]`` of rows ``[B, C]``."""
    spearman, kendall = np.full(len(x), np.nan), np.full(len(x), np.nan)
    step = max(1, _CHUNK // max(1, x.shape[1] ** 2))
    for start in range(0, len(x), step):
        block = slice(start, start + step)
        dx = np.sign(x[block, :, None] - x[block, None, :])
        dy = np.sign(y[block, :, None] - y[block, None, :])
        ones = np.ones_like(x[block])
        spearman[block] = _correlation(dx.sum(axis=2), dy.sum(axis=2), ones)
        kendall[block] = (dx * dy).sum(axis=(1, 2)) / np.sqrt(
            (dx * dx).sum(axis=(1, 2)) * (dy * dy).sum(axis=(1, 2))
        )
    return spearman, kendall


def _estimate(found: Array, why: str) -> AgreementEstimate:
    """The first is the value, the others its resamples."""
    value = float(found[0]) if np.isfinite(found[0]) else None
    resampled = found[1:][np.isfinite(found[1:])]
    if value is None:
        return AgreementEstimate(
            value=None, interval=Interval(low=None, high=None, reason="no value")
        )
    if why or not resampled.size:
        return AgreementEstimate(value=value, interval=Interval(low=None, high=None, reason=why))
    low, high = np.quantile(resampled, [0.025, 0.975])
    return AgreementEstimate(value=value, interval=Interval(low=float(low), high=float(high)))
