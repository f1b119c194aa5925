"""Bjøntegaard's deltas between the lines of a metric, with intervals over clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from sqbench.pages.bjontegaard import Method, overlap, quality_delta, rate_delta
from sqbench.pages.matrix import Matrix, Values, macro_weights, resampled
from sqbench.statistics import N_BOOT, Interval

FEW_POINTS = 4
"""With fewer points, the least that VCEG asks for, an interpolated curve is a guess."""


@dataclass(frozen=True, kw_only=True)
class Delta:
    """A number with its interval, or why there is none."""

    value: float | None
    interval: Interval
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class LineDelta:
    """A test line against an anchor line.

    Attributes:
        rate: percent of bits at the same quality.
        quality: in units of the metric, at the same bits.
        points: of the anchor and of the test.
        clips: that all points of both have a value for.
        shared_quality, shared_rate: share of the axis' range that both lines cover.
    """

    anchor: str
    test: str
    rate: Delta
    quality: Delta
    points: tuple[int, int]
    clips: int
    shared_quality: float
    shared_rate: float


def deltas(
    found: Matrix,
    bits: Mapping[str, float],
    lines: Mapping[str, str],
    *,
    higher_is_better: bool,
    method: Method = "pchip",
    n_boot: int = N_BOOT,
    seed: int = 0,
) -> list[LineDelta]:
    """Every line of two points or more against every other.

    Args:
        found: the metric's values.
        bits: label of a row to its measured bits a second; rows without are left out.
        lines: label of a row to its line; rows without are left out.
    """
    of_line: dict[str, list[int]] = {}
    measured = [bool(np.isfinite(values).any()) for values in found.values]
    for i, label in enumerate(found.labels):
        if label in lines and bits.get(label, 0) > 0 and measured[i]:
            of_line.setdefault(lines[label], []).append(i)
    several = {
        name: sorted(rows, key=lambda i: bits[found.labels[i]])
        for name, rows in of_line.items()
        if len({bits[found.labels[i]] for i in rows}) == len(rows) > 1
    }
    rate = np.array([bits.get(label, np.nan) for label in found.labels])
    sign = 1.0 if higher_is_better else -1.0
    return [
        _one(found, rate, anchor, test, several, sign, method, n_boot, seed)
        for anchor, test in permutations(several, 2)
    ]


def _one(
    found: Matrix,
    bits: Values,
    anchor: str,
    test: str,
    several: Mapping[str, Sequence[int]],
    sign: float,
    method: Method,
    n_boot: int,
    seed: int,
) -> LineDelta:
    a, b = list(several[anchor]), list(several[test])
    shared = np.isfinite(found.values[a + b]).all(axis=0)
    datasets = found.datasets[shared]
    values = sign * found.values[a + b][:, shared]
    if not shared.any():
        nothing = Delta(value=None, interval=_no_interval("no clip"), reason="no clip in common")
        return LineDelta(
            anchor=anchor, test=test, rate=nothing, quality=nothing, points=(len(a), len(b)),
            clips=0, shared_quality=0.0, shared_rate=0.0,
        )  # fmt: skip
    means = values @ macro_weights(datasets)
    spread = resampled(values, datasets, n_boot=n_boot, seed=seed)

    def both(of: Values) -> tuple[Values, Values]:
        one, other = of[..., : len(a)], of[..., len(a) :]
        return (
            rate_delta(bits[a], one, bits[b], other, method),
            sign * quality_delta(bits[a], one, bits[b], other, method),
        )

    rate, quality = both(means)
    rates, qualities = both(spread) if spread is not None else (None, None)
    shared_quality = overlap(means[: len(a)], means[len(a) :])
    shared_rate = overlap(np.log10(bits[a]), np.log10(bits[b]))
    falls = not all(np.all(np.diff(each) > 0) for each in (means[: len(a)], means[len(a) :]))
    why = "quality does not rise with the bits" if falls else "no quality in common"
    return LineDelta(
        anchor=anchor,
        test=test,
        rate=_delta(rate, rates, why),
        quality=_delta(quality, qualities, "no rate in common"),
        points=(len(a), len(b)),
        clips=int(shared.sum()),
        shared_quality=shared_quality,
        shared_rate=shared_rate,
    )


def _delta(value: Values, resamples: Values | None, why: str) -> Delta:
    if not np.isfinite(value):
        return Delta(value=None, interval=_no_interval(why), reason=why)
    if resamples is None:
        return Delta(value=float(value), interval=_no_interval("one utterance has no spread"))
    finite = resamples[np.isfinite(resamples)]
    if len(finite) < 0.95 * len(resamples):
        share = 1 - len(finite) / len(resamples)
        reason = f"no delta in {share:.0%} of resamples"
        return Delta(value=float(value), interval=_no_interval(reason))
    low, high = np.quantile(finite, [0.025, 0.975])
    return Delta(value=float(value), interval=Interval(low=float(low), high=float(high)))


def _no_interval(reason: str) -> Interval:
    return Interval(low=None, high=None, reason=reason)
