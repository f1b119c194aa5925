"""Metrics on a pair: `measure_pair` is the one place where they meet it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from sqbench.metrics import catalogue
from sqbench.metrics.base import Metric, Pair, Status, Undefined
from sqbench.metrics.protocol import DEFAULT, prepare

ROUNDING = 1e-6
"""So far outside of its bounds a value may be: a correlation of 1 comes out as 1 + 2e-16."""


@dataclass(frozen=True)
class Measurement:
    """What one metric says of one pair.

    Attributes:
        value: NaN unless ``status`` is ``ok``.
        status: ``ok``; ``identical`` (the pair is equal, so that the value means nothing);
            ``undefined`` (the metric has no value for this pair); ``failed`` (something broke).
        reason: why there is no value.
    """

    value: float
    status: Status
    reason: str | None = None


def measure_pair(
    reference: ArrayLike,
    reference_rate: int,
    estimate: ArrayLike,
    estimate_rate: int,
    metrics: Sequence[str],
    protocol: str = DEFAULT,
) -> list[Measurement]:
    """Prepare a pair and measure it by each metric; one that breaks does not stop the others.

    Args:
        reference: float64 ``[T]`` or ``[T, C]``, as `sqbench.audio.read` gives it.
        reference_rate: in Hz.
        estimate: as the reference.
        estimate_rate: in Hz.
        metrics: names from the metric catalogue.
        protocol: ``slt2024`` or ``slt2024-strict``.

    Returns:
        A measurement per metric, in the order of ``metrics``.

    Raises:
        InputError: a metric, the protocol, a rate, or an array's type or shape cannot be used.
    """
    wanted = catalogue.resolve_all(metrics)
    try:
        pair = prepare(reference, reference_rate, estimate, estimate_rate, protocol)
    except Undefined as undefined:
        return [Measurement(math.nan, "undefined", undefined.reason)] * len(wanted)
    return [_measure(metric, pair) for metric in wanted]


def _measure(metric: Metric, pair: Pair) -> Measurement:
    try:
        value = float(metric.measure(pair))
    except Undefined as undefined:
        status: Status = "identical" if undefined.identical else "undefined"
        return Measurement(math.nan, status, undefined.reason)
    except Exception as error:  # a metric may be anybody's code, and the others still count
        return Measurement(math.nan, "failed", f"{type(error).__name__}: {error}")
    if not math.isfinite(value):
        return Measurement(math.nan, "undefined", f"{metric.name} gives {value}")
    low, high = metric.bounds
    if (low is not None and value < low - ROUNDING) or (
        high is not None and value > high + ROUNDING
    ):
        # The metric's own word is broken: a defect of it, not a property of the pair.
        reason = f"{metric.name} gives {value:.6g}, outside of its bounds {low} to {high}"
        return Measurement(math.nan, "failed", reason)
    return Measurement(value, "ok")


def failed(reason: str, count: int) -> list[Measurement]:
    """The same failure for ``count`` metrics."""
    return [Measurement(math.nan, "failed", reason)] * count
