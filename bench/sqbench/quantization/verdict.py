"""Comparisons that checks are made of: a number of each seed of a cell against a threshold."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqbench.quantization.cell import Cell
from sqbench.quantization.experiment import QuantizationTrial
from sqbench.quantization.tables import median, values

NOT_RUN = "not run"
THEORY = "theory"
"""Holds for every correct implementation, whatever its sizes."""
REPLICATION = "replication"
"""What others found, at their sizes; not to see it again is a finding, not an error."""
REGRESSION = "regression"
"""What this code does, with a margin; a failure says that something has changed."""
Found = tuple[Cell, Sequence[QuantizationTrial]] | None
"""A cell with its trials; ``None`` where there are none."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One comparison.

    Attributes:
        name: of the check it belongs to (``B1``).
        what: is compared, on which cell.
        measured: value, or values, as text.
        wanted: the threshold as text.
        kind: `THEORY`, `REPLICATION` or `REGRESSION`.
        passed: ``None`` where there is nothing to judge: results are missing, or the number is
            only reported.
    """

    name: str
    what: str
    measured: str
    wanted: str
    passed: bool | None
    kind: str = ""

    @property
    def fails(self) -> bool:
        """Whether something is wrong here: a finding that is not seen again is no failure."""
        return self.passed is False and self.kind != REPLICATION

    @property
    def word(self) -> str:
        """``ok``, ``FAILED``, ``differs`` (a finding that is not seen again), or a dash."""
        if self.passed is None:
            return "-"
        return "ok" if self.passed else "FAILED" if self.fails else "differs"


def each(
    name: str, what: str, found: Found, metric: str, wanted: str, fits: Callable[[float], bool]
) -> Verdict:
    if found is None:
        return absent(name, what)
    cell, trials = found
    numbers = values(trials, metric)
    return Verdict(
        name=name,
        what=f"{what} ({cell.label})",
        measured=span(numbers),
        wanted=wanted,
        passed=len(numbers) == len(trials) and all(map(fits, numbers)),
    )


def middle(
    name: str, what: str, found: Found, metric: str, wanted: str, fits: Callable[[float], bool]
) -> Verdict:
    """The median over seeds against a threshold."""
    if found is None:
        return absent(name, what)
    cell, trials = found
    value = median(trials, metric)
    return judged(name, f"median of {what} ({cell.label})", value, wanted,
                  value is not None and fits(value))  # fmt: skip


def compared(
    name: str, what: str, found: Found, other: Found, metric: str, wanted: str,
    fits: Callable[[float, float], bool],
) -> Verdict:  # fmt: skip
    """Medians of two cells: their ratio as a text, both against each other by ``fits``."""
    if found is None or other is None:
        return absent(name, what)
    a, b = median(found[1], metric), median(other[1], metric)
    ratio = a / b if a is not None and b else None
    return judged(name, f"{what} ({found[0].label})", ratio, wanted,
                  a is not None and b is not None and fits(a, b))  # fmt: skip


def lowest(name: str, what: str, found: Found, metric: str, least: float) -> Verdict:
    return each(name, what, found, metric, f">= {least:g}", lambda v: v >= least)


def highest(name: str, what: str, found: Found, metric: str, most: float) -> Verdict:
    return each(name, what, found, metric, f"<= {most:g}", lambda v: v <= most)


def within(name: str, what: str, found: Found, metric: str, least: float, most: float) -> Verdict:
    return each(name, what, found, metric, f"{least:g} to {most:g}", lambda v: least <= v <= most)


def short(name: str, what: str, found: Found, most: float) -> Verdict:
    """How far each seed's SNR is below the reference."""
    if found is None:
        return absent(name, what)
    cell, trials = found
    gaps = shortfalls(trials, "reference_db")
    return Verdict(
        name=name,
        what=f"{what} ({cell.label})",
        measured=span(gaps),
        wanted=f"<= {most:g}",
        passed=len(gaps) == len(trials) and max(gaps) <= most,
    )


def bounded(
    name: str, what: str, every: Iterator[tuple[Cell, Sequence[QuantizationTrial]]], most: float
) -> Verdict:
    """Whether any seed of any cell is above its bound."""
    excess = [(-gap, cell.label) for cell, found in every for gap in shortfalls(found, "bound_db")]
    if not excess:
        return absent(name, what)
    worst, where = max(excess)
    return judged(name, f"{what} ({where})", worst, f"<= {most:g}", worst <= most)


def shortfalls(trials: Sequence[QuantizationTrial], line: str) -> list[float]:
    return [
        bound - snr
        for t in trials
        if (bound := t.values.get(line)) is not None and (snr := t.values.get("snr_db")) is not None
    ]


def difference(
    name: str, what: str, found: Found, other: Found, metric: str, least: float
) -> Verdict:
    """Difference of medians."""
    if found is None or other is None:
        return absent(name, what)
    a, b = values(found[1], metric), values(other[1], metric)
    if not a or not b:
        return Verdict(name=name, what=f"{what} ({found[0].label})", measured="not finite",
                       wanted=f">= {least:g}", passed=bool(a))  # fmt: skip
    value = statistics.median(a) - statistics.median(b)
    return judged(name, f"{what} ({found[0].label})", value, f">= {least:g}", value >= least)


def judged(name: str, what: str, value: float | None, wanted: str, passed: bool) -> Verdict:
    measured = "not finite" if value is None else f"{value:.3g}"
    return Verdict(name=name, what=what, measured=measured, wanted=wanted, passed=passed)


def absent(name: str, what: str) -> Verdict:
    return Verdict(name=name, what=what, measured=NOT_RUN, wanted="", passed=None)


def span(numbers: Sequence[float]) -> str:
    if not numbers:
        return "not finite"
    low, high = min(numbers), max(numbers)
    return f"{low:.3g}" if len(numbers) == 1 else f"{low:.3g} to {high:.3g}"
