"""MUSHRA: mean ratings with intervals by listener and item, after post-screening.

Post-screening is that of ITU-R BS.1534-3, section 4.1.2: a listener is left out who rates the
hidden reference below 90 for more than 15 % of the items, or the mid-range anchor (7 kHz) above 90
for more than 15 %. An item whose anchor more than 25 % of listeners rate above 90 is not counted
for the second rule: the anchor may not have done anything to it.

Intervals are percentile intervals of a bootstrap over whole clusters. Listeners and items are
crossed, each rating having one of both: resampling both at once speaks of other listeners and other
items (Owen 2007, "The pigeonhole bootstrap"), resampling one of them of others of that kind alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sqbench.listening.blind.design import anchor_name
from sqbench.listening.blind.key import Key
from sqbench.listening.blind.results import Session
from sqbench.statistics import N_BOOT, Interval

LEAST_REFERENCE, MOST_ANCHOR = 90.0, 90.0
SHARE_OF_ITEMS, SHARE_OF_LISTENERS = 0.15, 0.25
MID_ANCHOR = anchor_name(7000.0)
REFERENCE = "hidden reference"

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Ratings as arrays.

    Attributes:
        scores: by system ``[listeners, items]``; NaN where there is no rating. The mean of a
            listener who sat more than once.
    """

    listeners: tuple[str, ...]
    items: tuple[str, ...]
    scores: Mapping[str, Array]

    def without(self, names: Sequence[str]) -> Panel:
        """The panel without these listeners."""
        kept = [i for i, name in enumerate(self.listeners) if name not in names]
        return Panel(
            listeners=tuple(self.listeners[i] for i in kept),
            items=self.items,
            scores={system: values[kept] for system, values in self.scores.items()},
        )


@dataclass(frozen=True, kw_only=True)
class Mean:
    """A system's mean rating, or a difference of two.

    Attributes:
        minus: of a difference, the system that is taken away; empty of a mean.
        both, listeners, items: 95 % intervals over other listeners and items, over one of the two.
        n: ratings, or pairs of ratings.
    """

    system: str
    minus: str = ""
    value: float
    both: Interval
    listeners: Interval
    items: Interval
    n: int


def panel(key: Key, sessions: Sequence[Session]) -> Panel:
    """Ratings of all sessions; systems in the key's order, the hidden reference under its name."""
    listeners = tuple(dict.fromkeys(session.listener for session in sessions))
    items = tuple(dict.fromkeys(trial.item for trial in key.trials))
    names = {s.id: REFERENCE if s.role == "reference" else s.system for s in key.stimuli.values()}
    shape = (len(listeners), len(items))
    total = {name: np.zeros(shape) for name in dict.fromkeys(names.values())}
    count = {name: np.zeros(shape) for name in total}
    for session in sessions:
        row = listeners.index(session.listener)
        for rating in session.ratings:
            at = row, items.index(rating.item)
            total[names[rating.stimulus]][at] += rating.score
            count[names[rating.stimulus]][at] += 1
    with np.errstate(invalid="ignore"):
        scores = {name: total[name] / count[name] for name in total}
    return Panel(listeners=listeners, items=items, scores=scores)


def screen(found: Panel) -> dict[str, str]:
    """Listeners that the recommendation leaves out, and why."""
    out: dict[str, list[str]] = {}
    reference = found.scores[REFERENCE]
    for name, values in zip(found.listeners, reference, strict=True):
        low, n = int(np.sum(values < LEAST_REFERENCE)), int(np.sum(np.isfinite(values)))
        if n and low / n > SHARE_OF_ITEMS:
            out.setdefault(name, []).append(
                f"{REFERENCE} below {LEAST_REFERENCE:g} in {low} of {n} items"
            )
    if MID_ANCHOR in found.scores:
        anchor = found.scores[MID_ANCHOR]
        heard = np.isfinite(anchor)
        high = np.where(heard, anchor, 0) > MOST_ANCHOR
        by_item = high.sum(axis=0) / np.maximum(heard.sum(axis=0), 1)
        counted = by_item <= SHARE_OF_LISTENERS
        for name, above, there in zip(found.listeners, high, heard, strict=True):
            many, n = int(np.sum(above & counted)), int(np.sum(there))
            if n and many / n > SHARE_OF_ITEMS:
                out.setdefault(name, []).append(
                    f"{MID_ANCHOR} above {MOST_ANCHOR:g} in {many} of {n} items"
                )
    return {name: "; ".join(reasons) for name, reasons in out.items()}


def means(
    found: Panel, systems: Sequence[str], *, n_boot: int = N_BOOT, seed: int = 0
) -> tuple[list[Mean], list[Mean]]:
    """Means of all systems, the highest first, and differences of pairs of ``systems``.

    All systems share their resamples, so that differences are paired.
    """
    rng = np.random.default_rng(seed)
    rows, columns = len(found.listeners), len(found.items)
    by_row, by_column = _draws(rng, rows, n_boot), _draws(rng, columns, n_boot)
    every_row, every_column = np.ones((n_boot, rows)), np.ones((n_boot, columns))
    weights = {
        "both": (by_row, by_column),
        "listeners": (by_row, every_column),
        "items": (every_row, by_column),
    }

    def mean(values: Array, system: str, minus: str = "") -> Mean:
        there = np.isfinite(values)
        few_rows = int(there.any(axis=1).sum()) < 2
        few_columns = int(there.any(axis=0).sum()) < 2
        reasons = {
            "listeners": "one listener has no spread" if few_rows else "",
            "items": "one item has no spread" if few_columns else "",
        }
        reasons["both"] = reasons["listeners"] or reasons["items"]
        intervals = {
            kind: _interval(values, *each, reasons[kind]) for kind, each in weights.items()
        }
        return Mean(
            system=system, minus=minus, value=float(values[there].mean()), n=int(there.sum()),
            **intervals,
        )  # fmt: skip

    rated = [name for name, values in found.scores.items() if np.isfinite(values).any()]
    single = [mean(found.scores[name], name) for name in rated]
    single.sort(key=lambda each: -each.value)
    order = [each.system for each in single if each.system in systems]
    differences = [
        mean(found.scores[a] - found.scores[b], a, b)
        for i, a in enumerate(order)
        for b in order[i + 1 :]
        if np.isfinite(found.scores[a] - found.scores[b]).any()
    ]
    return single, differences


def _draws(rng: np.random.Generator, count: int, n_boot: int) -> Array:
    return rng.multinomial(count, np.full(count, 1 / count), size=n_boot).astype(np.float64)


def _interval(values: Array, rows: Array, columns: Array, reason: str) -> Interval:
    if reason:
        return Interval(low=None, high=None, reason=reason)
    there = np.isfinite(values)
    total = np.einsum("bl,li,bi->b", rows, np.where(there, values, 0.0), columns, optimize=True)
    weight = np.einsum("bl,li,bi->b", rows, there.astype(np.float64), columns, optimize=True)
    drawn = total[weight > 0] / weight[weight > 0]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(low=float(low), high=float(high))
