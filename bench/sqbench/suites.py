"""Suites: names for what a run does, metrics and applications."""

from __future__ import annotations

from collections.abc import Sequence

from sqbench.errors import InputError
from sqbench.metrics import catalogue
from sqbench.metrics.base import Metric

SUITES: dict[str, tuple[str, ...]] = {
    "signal": catalogue.SIGNAL,
    "perceptual": catalogue.PERCEPTUAL,
    "application": (),
    "all": catalogue.SIGNAL,
}
"""Suite to its metrics; of the perceptual one, those that can run here."""

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
    absent = left_out(suite) if metrics is None else {}
    names = metrics if metrics is not None else [n for n in SUITES[suite] if n not in absent]
    return dict(zip(names, catalogue.resolve_all(names), strict=True))


def left_out(suite: str) -> dict[str, str]:
    """The metrics of the perceptual suite that cannot run here without a download, and what gets
    each: a line of pip, or of the hub's own tool. Other suites have all of theirs."""
    if suite != "perceptual":
        return {}
    found = {}
    for name in catalogue.PERCEPTUAL:
        entry = catalogue.METRICS.get(name)
        if cure := entry.remedy if entry.missing() else entry.fetches():
            found[name] = cure
    return found


def what_is_left_out(suite: str) -> list[str]:
    """A line for people for each cure of `left_out`."""
    by_cure: dict[str, list[str]] = {}
    for name, cure in left_out(suite).items():
        by_cure.setdefault(cure, []).append(name)
    return [f"not here: {', '.join(names)}; for them: {cure}" for cure, names in by_cure.items()]
