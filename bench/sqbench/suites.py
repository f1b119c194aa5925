"""Suites: names for what a run does, signal metrics and applications."""

from __future__ import annotations

from collections.abc import Sequence

from sqbench.errors import InputError
from sqbench.metrics import catalogue
from sqbench.metrics.base import Metric

SUITES: dict[str, tuple[str, ...]] = {
    "signal": catalogue.SIGNAL,
    "application": (),
    "all": catalogue.SIGNAL,
}
"""Suite to its metrics."""

APPLICATIONS = ("application", "all")
"""The suites in which evaluators listen."""


def metrics_of(suite: str, metrics: Sequence[str] | None) -> dict[str, Metric]:
    """The metrics of a suite, or those named instead, by the names they were asked for.

    Raises:
        InputError: an unknown suite or metric, or metrics named for a suite that has none.
    """
    if suite not in SUITES:
        raise InputError(f"suite {suite!r}", expected=f"one of {', '.join(SUITES)}")
    if not SUITES[suite]:
        if metrics is not None:
            raise InputError(
                f"metrics with suite {suite!r}", expected="none", found=", ".join(metrics)
            )
        return {}
    names = metrics if metrics is not None else SUITES[suite]
    return dict(zip(names, catalogue.resolve_all(names), strict=True))
