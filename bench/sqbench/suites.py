"""Suites: names for sets of metrics."""

from __future__ import annotations

from collections.abc import Sequence

from sqbench.metrics import registry
from sqbench.metrics.base import Metric
from sqcodec.errors import InputError

SUITES: dict[str, tuple[str, ...]] = {"signal": registry.SIGNAL}


def metrics_of(suite: str, metrics: Sequence[str] | None) -> dict[str, Metric]:
    """The metrics of a suite, or those named instead, by the names they were asked for.

    Raises:
        InputError: an unknown suite or metric.
    """
    if suite not in SUITES:
        raise InputError(f"suite {suite!r}", expected=f"one of {', '.join(SUITES)}")
    names = metrics if metrics is not None else SUITES[suite]
    return dict(zip(names, registry.resolve_all(names), strict=True))
