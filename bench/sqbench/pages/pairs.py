"""Every codec against every other: paired differences, and which of them are no accident.

The differences and intervals are those of `sqbench.report.compare`. The test is a sign-flip
permutation test of the same statistic, the unweighted mean over datasets of the mean difference:
if two codecs were alike, each clip's difference might as well have had the other sign (Fisher
1935; Good 2005, chapter 3). Among many pairs some differ by accident: p-values are corrected by
Holm (1979) over all pairs of a metric.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from sqbench.pages.matrix import Matrix, Values, macro_weights, resampled
from sqbench.statistics import N_BOOT

FLIPS = 9999
"""Random sign patterns; all of them are taken where there are not more."""
_AT_ONCE = 256  # pairs: 20 MB of statistics


@dataclass(frozen=True, kw_only=True)
class CodecPair:
    """Codec ``a`` minus codec ``b`` on the clips that both have a value for.

    Attributes:
        a, b: places in the matrix.
        low, high: 95 % bootstrap interval; ``None`` where the data cannot tell.
        n: clips.
        wins: clips on which ``a`` is better, ``losses`` on which ``b`` is.
        p: of the permutation test, two-sided; ``None`` without a clip.
        p_holm: corrected for all pairs of the metric.
    """

    a: int
    b: int
    difference: float | None
    low: float | None
    high: float | None
    n: int
    wins: int
    losses: int
    p: float | None
    p_holm: float | None


def pairs(
    found: Matrix, *, higher_is_better: bool, n_boot: int = N_BOOT, seed: int = 0
) -> list[CodecPair]:
    """All pairs of the matrix's rows, each once.

    Args:
        higher_is_better: the metric's direction.
    """
    index = list(combinations(range(len(found.labels)), 2))
    # Pairs that have the same clips are done together: products of matrices instead of loops.
    groups: dict[bytes, list[tuple[int, int]]] = {}
    there = np.isfinite(found.values)
    for a, b in index:
        groups.setdefault((there[a] & there[b]).tobytes(), []).append((a, b))
    made: dict[tuple[int, int], CodecPair] = {}
    for mask, of_mask in groups.items():
        shared = np.frombuffer(mask, dtype=bool)
        values, datasets = found.values[:, shared], found.datasets[shared]
        for start in range(0, len(of_mask), _AT_ONCE):
            some = of_mask[start : start + _AT_ONCE]
            for pair in _group(values, datasets, some, higher_is_better, n_boot, seed):
                made[pair.a, pair.b] = pair
    return _corrected([made[each] for each in index])


def _group(
    values: Values,
    datasets: NDArray[np.int64],
    some: Sequence[tuple[int, int]],
    higher_is_better: bool,
    n_boot: int,
    seed: int,
) -> list[CodecPair]:
    n = len(datasets)
    if not n:
        return [
            CodecPair(
                a=a, b=b, difference=None, low=None, high=None, n=0, wins=0, losses=0, p=None,
                p_holm=None,
            )
            for a, b in some
        ]  # fmt: skip
    a, b = np.array(some).T
    differences = values[a] - values[b]
    weighted = differences * macro_weights(datasets)
    means = weighted.sum(axis=1)
    better = differences if higher_is_better else -differences
    wins, losses = (better > 0).sum(axis=1), (better < 0).sum(axis=1)
    spread = resampled(differences, datasets, n_boot=n_boot, seed=seed)
    ends = None if spread is None else np.quantile(spread, [0.025, 0.975], axis=0)
    p = sign_flip(weighted, seed=seed)
    return [
        CodecPair(
            a=one,
            b=other,
            difference=float(means[i]),
            low=None if ends is None else float(ends[0, i]),
            high=None if ends is None else float(ends[1, i]),
            n=n,
            wins=int(wins[i]),
            losses=int(losses[i]),
            p=float(p[i]),
            p_holm=None,
        )
        for i, (one, other) in enumerate(some)
    ]


def sign_flip(weighted: Values, *, seed: int = 0) -> Values:
    """Two-sided p-values of sums under random signs.

    Args:
        weighted: terms of each sum, ``[sums, n]``.

    Returns:
        ``[sums]``: the share of all ``2**n`` sign patterns whose sum is as far from 0 as the
        observed one; of `FLIPS` random ones and the observed one, where there are more than that.
    """
    n = weighted.shape[1]
    exact = 2.0**n <= FLIPS
    if exact:
        patterns = np.arange(2**n)[:, None] >> np.arange(n) & 1
    else:
        patterns = np.random.default_rng([seed, n]).integers(0, 2, size=(FLIPS, n), dtype=np.int8)
    sums = np.abs((2.0 * patterns - 1.0) @ weighted.T)
    observed = np.abs(weighted.sum(axis=1))
    # Sums of the same terms in another order are equal, not merely near.
    as_far = (sums >= observed - 1e-12 * np.abs(weighted).sum(axis=1)).sum(axis=0)
    p: Values = as_far / 2.0**n if exact else (as_far + 1) / (FLIPS + 1)
    return p


def holm(p: Values) -> Values:
    """P-values ``[m]`` corrected for their number by Holm's step-down method."""
    order = np.argsort(p, kind="stable")
    steps = p[order] * (len(p) - np.arange(len(p)))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return corrected


def _corrected(found: Sequence[CodecPair]) -> list[CodecPair]:
    tested = [i for i, pair in enumerate(found) if pair.p is not None]
    corrected = holm(np.array([found[i].p for i in tested], dtype=np.float64))
    result = list(found)
    for i, p in zip(tested, corrected, strict=True):
        result[i] = replace(found[i], p_holm=float(p))
    return result
