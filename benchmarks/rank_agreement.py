"""How far two rankings of the same methods agree, and how sure that is."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

N_BOOT = 2000
_EXACT = 8
"""Methods up to which all permutations are tried; of more, `N_PERMUTATIONS` random ones."""
N_PERMUTATIONS = 20_000


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Spearman's rank correlation.

    Attributes:
        p: two-sided, by permutation of the methods: how often chance agrees or disagrees as much.
        low, high: 95 % percentile interval, by bootstrap; ``None`` with a single base network.
    """

    rho: float
    p: float
    low: float | None
    high: float | None
    methods: int
    bases: int


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Rank correlation, ties with their mean rank; NaN where one side is all ties."""
    x, y = rankdata(a), rankdata(b)
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum() / scale) if scale else float("nan")


def permutation_p(a: Sequence[float], b: Sequence[float]) -> float:
    """Share of the permutations of ``b`` whose correlation is at least as far from 0."""
    x, y = rankdata(a), rankdata(b)
    x, y = x - x.mean(), y - y.mean()
    if len(x) <= _EXACT:
        orders = np.array(list(itertools.permutations(range(len(x)))))
    else:
        generator = np.random.default_rng(0)
        orders = generator.permuted(np.tile(np.arange(len(x)), (N_PERMUTATIONS, 1)), axis=1)
    found = np.abs((y[orders] * x).sum(1))
    return float((found >= abs((x * y).sum()) - 1e-9).mean())


def agreement(
    toy: Mapping[str, Sequence[float]], codec: Mapping[str, Mapping[int, Sequence[float]]]
) -> Agreement:
    """Of medians over all runs of each method, higher being better on both sides.

    The bootstrap draws base networks with replacement, then runs within them and the toy's seeds:
    the interval speaks of other bases and seeds, not of other methods.

    Args:
        toy: scores by method.
        codec: scores by method and base network.
    """
    methods = [m for m in toy if m in codec]
    bases = sorted({base for method in methods for base in codec[method]})
    first = [float(np.median(toy[m])) for m in methods]
    second = [
        float(np.median([score for runs in codec[m].values() for score in runs])) for m in methods
    ]
    low = high = None
    if len(bases) > 1:
        generator = np.random.default_rng(0)
        found = [
            spearman(
                [float(np.median(_drawn(generator, toy[m]))) for m in methods],
                _resampled(generator, [codec[m] for m in methods], bases),
            )
            for _ in range(N_BOOT)
        ]
        low, high = (float(q) for q in np.nanpercentile(found, [2.5, 97.5]))
    return Agreement(
        rho=spearman(first, second), p=permutation_p(first, second), low=low, high=high,
        methods=len(methods), bases=len(bases),
    )  # fmt: skip


def _resampled(
    generator: np.random.Generator,
    runs: Sequence[Mapping[int, Sequence[float]]],
    bases: Sequence[int],
) -> list[float]:
    # All methods start from the same bases, so these are drawn for all together.
    chosen = generator.choice(bases, len(bases))
    return [
        float(np.median(np.concatenate(
            [_drawn(generator, of[base]) for base in chosen if base in of]
            or [np.asarray([score for scores in of.values() for score in scores])]
        )))
        for of in runs
    ]  # fmt: skip


def _drawn(generator: np.random.Generator, scores: Sequence[float]) -> NDArray[np.float64]:
    return generator.choice(np.asarray(scores, dtype=np.float64), len(scores))
