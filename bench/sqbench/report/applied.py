"""The applications in the table: their columns, entries and notes. Table 2 of the paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqbench.published import rows as paper
from sqbench.report.columns import Column
from sqbench.statistics import N_BOOT
from sqbench.store.applications import Application, Heard
from sqbench.tasks.base import Quantity
from sqbench.tasks.catalogue import TASKS
from sqbench.tasks.evaluators.catalogue import CHOICES

OFFLINE = frozenset({*CHOICES["offline"].values(), "pocketsphinx"})
"""Evaluators whose values never stand without their interval, and are never called best."""


@dataclass(frozen=True, kw_only=True)
class Applied:
    """A column of an application: a quantity by one evaluator."""

    column: Column
    task: str
    evaluator: str
    quantity: str

    def of(self, heard: Heard) -> Application | None:
        return heard.get((self.task, self.evaluator))


def resamples(ci: bool, n_boot: int = N_BOOT) -> dict[bool, int]:
    """Bootstrap resamples for an evaluator, by whether it is an offline one."""
    return {True: n_boot, False: n_boot if ci else 0}


def applied_columns(rows: Sequence[Heard], *, published: bool) -> list[Applied]:
    """A column for each shown quantity of each evaluator that was heard.

    With the paper's rows its evaluators have columns too: a value of another does not belong
    under theirs.
    """
    seen: dict[str, dict[str, None]] = {}
    for heard in rows:
        for task, evaluator in heard:
            seen.setdefault(task, {})[evaluator] = None
    if not seen:
        return []
    found = []
    for name, each in TASKS.items():
        shown = [quantity for quantity in each.quantities if quantity.shown]
        protocol = CHOICES["protocol"][name]
        ours = seen.get(name, {})
        for evaluator in ours:
            found += [_applied(name, evaluator, quantity) for quantity in shown]
        if published and protocol not in ours:
            fields = paper.ApplicationRow.__annotations__
            found += [_applied(name, protocol, q) for q in shown if q.name in fields]
    return found


def _applied(task: str, evaluator: str, quantity: Quantity) -> Applied:
    column = Column(
        key=f"{quantity.name}[{evaluator}]",
        title=quantity.title,
        unit=quantity.unit,
        by=evaluator,
        digits=quantity.digits,
        direction=quantity.direction,
        scores=True,
        group="application",
    )
    return Applied(column=column, task=task, evaluator=evaluator, quantity=quantity.name)


def published_values(row: paper.SignalRow, columns: Sequence[Applied]) -> dict[str, float]:
    """The paper's Table 2 of the model of a row of its Table 1, by column."""

    def identity(model: paper.Model) -> tuple[object, ...]:
        return (model.model, model.sample_rate, model.bitrate_bps, model.params_m)

    match = [other for other in paper.table2() if identity(other) == identity(row)]
    return {
        each.column.key: getattr(match[0], each.quantity)
        for each in columns
        if match
        and each.evaluator == CHOICES["protocol"][each.task]
        and hasattr(match[0], each.quantity)
    }


def notes(
    rows: Mapping[str, Heard], columns: Sequence[Applied], *, ci: bool, n_boot: int, seed: int
) -> Iterator[str]:
    """What must be said of the columns.

    Args:
        rows: label to what was heard.
        ci: whether every column has its interval.
    """
    if not columns:
        return
    for task, evaluator in dict.fromkeys((each.task, each.evaluator) for each in columns):
        some = [heard[task, evaluator] for heard in rows.values() if (task, evaluator) in heard]
        if not some:
            continue
        one = some[0]
        names = " and ".join(f"{q.title} ({q.meaning})" for q in TASKS[task].quantities if q.shown)
        sets = ", ".join(f"{name} ({n})" for name, n in sorted(one.sets.items()))
        part = "" if one.selected == one.total else f", {one.selected} of {one.total} clips"
        yield f"{names} by {evaluator}: {sets}{part}."
        yield from _left_out(rows, task, evaluator)
    offline = dict.fromkeys(e.evaluator for e in columns if e.evaluator in OFFLINE)
    if offline:
        yield (
            f"{', '.join(offline)}: offline stand-ins for the protocol's evaluators. Their values "
            "compare codecs here where intervals part, and are never the published quantity."
        )
    if offline or ci:
        yield (
            f"Intervals of applications: 95 %, bootstrap, {n_boot} resamples of clips (of "
            f"speakers for EER), seed {seed}."
        )
    for label, heard in rows.items():
        for (task, evaluator), one in heard.items():
            if one.complete:
                continue
            reasons = "; ".join(f"{reason} ({n})" for reason, n in list(one.reasons.items())[:3])
            absent = one.expected - one.heard - sum(one.reasons.values())
            rest = [f"{absent} not heard yet (run the same command again)"] if absent else []
            yield (
                f"† {label}: {task} by {evaluator} {one.heard} of {one.expected} heard; "
                f"{'; '.join(filter(None, [reasons, *rest]))}."
            )


def _left_out(rows: Mapping[str, Heard], task: str, evaluator: str) -> Iterator[str]:
    """Clips that were heard and have no part in a shown quantity, where there are some."""
    for quantity in TASKS[task].quantities:
        reasons: dict[str, list[str]] = {}
        for label, heard in rows.items():
            one = heard.get((task, evaluator))
            for reason, n in one.values[quantity.name].left_out.items() if one else ():
                reasons.setdefault(reason, []).append(f"{label} {n}")
        if quantity.shown:
            for reason, counts in reasons.items():
                of = ", ".join(counts)
                yield f"{quantity.title} by {evaluator} leaves out, as {reason}: {of}."
