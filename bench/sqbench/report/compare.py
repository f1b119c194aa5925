"""Two codecs on the same utterances: paired differences, intervals, win rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sqbench.errors import InputError
from sqbench.report.columns import Column, columns_for
from sqbench.report.notes import FEW, few_utterances, locations
from sqbench.statistics import N_BOOT, Paired, Values, macro_mean, paired
from sqbench.store import versions
from sqbench.store.aggregate import rows as aggregate_rows
from sqbench.store.reader import Store
from sqbench.store.row import MetricCell, ResultRow


@dataclass(frozen=True, kw_only=True)
class ComparedMetric:
    """One metric of both codecs, over the utterances that both have a value for.

    Attributes:
        value_a: macro mean of A over those utterances.
        value_b: macro mean of B over those utterances.
        paired: the difference A - B.
        left_out: utterances that one of them, or both, have no value for.
        few: datasets with so few pairs that the interval is too narrow.
    """

    column: Column
    value_a: float | None
    value_b: float | None
    paired: Paired
    left_out: int
    few: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A against B on one source under one protocol."""

    a: str
    b: str
    source: str
    protocol: str
    metrics: tuple[ComparedMetric, ...]
    notes: tuple[str, ...]


def build(
    store: Store,
    a: str,
    b: str,
    *,
    source: str | None = None,
    protocol: str | None = None,
    all_versions: bool = False,
    n_boot: int = N_BOOT,
    seed: int = 0,
) -> Comparison:
    """Compare codec ``a`` with codec ``b``.

    Args:
        store: loaded results that hold both.
        a: a codec's name, its label in the table (``name@id``), or its id.
        b: the same of the other.
        source: which source, where the results hold both codecs on several.
        protocol: which protocol, in the same way.
        all_versions: refuse a name that several versions of a codec have, instead of taking the
            newest.
        n_boot: bootstrap resamples.
        seed: of the resampling.

    Raises:
        InputError: a codec is not there or not unique, or they share no source.
    """
    rows = [
        row
        for row in aggregate_rows(store)
        if row.cells and source in (None, row.source) and protocol in (None, row.protocol)
    ]
    newest = _newest(rows, (a, b), all_versions)
    found = {key: (_find(newest, a, key), _find(newest, b, key)) for key in _places(rows)}
    both = {key: (x, y) for key, (x, y) in found.items() if x is not None and y is not None}
    if not both:
        _explain(rows, a, b)
    if len(both) > 1:
        raise InputError(
            f"compare {a} {b}",
            expected="one source and one protocol",
            found=", ".join(f"{where} ({rules})" for where, rules in both),
            remedy="Choose with --source and --protocol.",
        )
    ((where, rules), (row_a, row_b)) = next(iter(both.items()))
    if row_a.codec_id == row_b.codec_id:
        raise InputError(f"compare {a} {b}", expected="two codecs", found=f"{row_a.label} twice")
    ids = _same_clips(row_a.hashes, row_b.hashes)
    changed = {
        u for u, v in ids.items() if u == v and row_a.hashes.get(v, "") != row_b.hashes.get(u, "")
    }
    if not ids:
        raise InputError(
            f"compare {a} {b}",
            expected="clips that both have results of",
            found=f"none of {len(row_a.hashes)} and {len(row_b.hashes)}",
            remedy="Run both on the same data.",
        )
    metrics = [
        _compare(
            column, row_a.cells[column.key], row_b.cells[column.key], ids, changed, n_boot, seed
        )
        for column in columns_for([row_a, row_b])
        if column.scores and column.key in row_a.cells and column.key in row_b.cells
    ]
    return Comparison(
        a=row_a.label,
        b=row_b.label,
        source=where,
        protocol=rules,
        metrics=tuple(metrics),
        notes=tuple(_notes(row_a, row_b, metrics, len(changed), n_boot, seed)),
    )


def _newest(
    rows: Sequence[ResultRow], names: tuple[str, str], all_versions: bool
) -> list[ResultRow]:
    """The newest version of each codec, and those that are named by label or id."""
    kept, _ = versions.chosen(rows, all_versions=all_versions)
    named = [row for row in rows if row.label in names or row.codec_id in names]
    return kept + [row for row in named if not any(row is each for each in kept)]


def _places(rows: Sequence[ResultRow]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((row.source, row.protocol) for row in rows))


def _find(rows: Sequence[ResultRow], name: str, place: tuple[str, str]) -> ResultRow | None:
    here = [row for row in rows if (row.source, row.protocol) == place]
    exact = [row for row in here if name in (row.label, row.codec_id)]
    found = exact or [row for row in here if row.codec == name]
    if len(found) > 1:
        raise InputError(
            f"codec {name}",
            expected="one codec",
            found=f"{len(found)} of that name with different weights or settings",
            remedy=f"Name one of {', '.join(row.label for row in found)}.",
        )
    return found[0] if found else None


def _explain(rows: Sequence[ResultRow], a: str, b: str) -> None:
    there = list(dict.fromkeys(row.label for row in rows))
    missing = [
        name
        for name in (a, b)
        if not any(name in (row.label, row.codec, row.codec_id) for row in rows)
    ]
    raise InputError(
        f"compare {a} {b}",
        expected="results of both on one source under one protocol",
        found=f"no results of {', '.join(missing)}" if missing else "no source in common",
        remedy=f"There are results of {', '.join(there)}." if there else "Run `sqbench run` first.",
    )


def _same_clips(a: Mapping[str, str], b: Mapping[str, str]) -> dict[str, str]:
    """B's ids of the clips that both have, to A's: the same id, or else the same content."""
    by_content = {sha256: name for name, sha256 in a.items()}
    found = {name: name if name in a else by_content.get(sha256) for name, sha256 in b.items()}
    return {ours: theirs for ours, theirs in found.items() if theirs is not None}


def _compare(
    column: Column,
    a: MetricCell,
    b: MetricCell,
    ids: Mapping[str, str],
    changed: set[str],
    n_boot: int,
    seed: int,
) -> ComparedMetric:
    sets: list[tuple[Values, Values]] = []
    few: list[str] = []
    others = {s.dataset: s for s in b.sets}
    for ours in a.sets:
        theirs = others.get(ours.dataset)
        if theirs is None:
            continue
        values_a = dict(zip(ours.utterances, ours.values, strict=True))
        values_b = {
            ids[u]: value
            for u, value in zip(theirs.utterances, theirs.values, strict=True)
            if u in ids
        }
        shared = sorted((values_a.keys() & values_b.keys()) - changed)
        if 1 < len(shared) < FEW:
            few.append(ours.dataset)
        sets.append(
            (
                np.array([values_a[u] for u in shared], dtype=np.float64),
                np.array([values_b[u] for u in shared], dtype=np.float64),
            )
        )
    result = paired(sets, higher_is_better=column.direction != "lower", n_boot=n_boot, seed=seed)
    return ComparedMetric(
        column=column,
        value_a=macro_mean([x for x, _ in sets]),
        value_b=macro_mean([y for _, y in sets]),
        paired=result,
        left_out=max(a.expected, b.expected) - result.n,
        few=tuple(few),
    )


def _notes(
    a: ResultRow,
    b: ResultRow,
    metrics: Sequence[ComparedMetric],
    changed: int,
    n_boot: int,
    seed: int,
) -> list[str]:
    notes = [
        f"Difference: {a.label} minus {b.label}, unweighted mean over datasets, of the utterances "
        f"that both have a value for; [low, high] its 95 % bootstrap interval ({n_boot} resamples "
        f"of pairs within datasets, seed {seed}). Better: where the interval leaves out zero. "
        f"Wins: pairs in which {a.label} is better, ties counting half.",
    ]
    if few := sorted({dataset for metric in metrics for dataset in metric.few}):
        notes.append(f"{few_utterances(few)}.")
    left_out = [f"{m.column.title} {m.left_out}" for m in metrics if m.left_out]
    if left_out:
        notes.append(f"Utterances left out (no value, or identical): {', '.join(left_out)}.")
    notes += locations([a, b])
    if changed:
        notes.append(f"The audio of {changed} utterances differs between the two: left out.")
    for metric in metrics:
        title, interval = metric.column.title, metric.paired.interval
        if interval.reason:
            notes.append(f"{title}: {interval.reason}.")
        if metric.column.direction is None:
            notes.append(f"{title}: direction not known, wins count higher values.")
    for name in sorted(a.versions.keys() & b.versions):
        if a.versions[name] != b.versions[name]:
            notes.append(
                f"{name.upper()}: version {a.versions[name]} against {b.versions[name]}, "
                "not comparable."
            )
    return notes
