"""What must be said under a table so that its numbers are not read for more than they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqbench.data.slt import OFFICIAL_SETS
from sqbench.published.rows import CITATION
from sqbench.store.aggregate import Failures
from sqbench.store.reader import Store
from sqbench.store.row import MetricCell, ResultRow, SetScore

FEW = 10
"""Below so many utterances a percentile interval covers clearly less than it says."""

COUNTS = (
    "The paper's counter sees none of SQCodec's weight-normed layers and none of its attention, "
    "and counts transposed convolutions of the others at output rate: its MACs do not compare "
    "across models, nor with ours (docs/complexity.md)."
)
"""What must stand under every table that shows the paper's operations."""

_MOST = 3  # reasons, problems or clips spelled out before the rest is only counted


def of_section(
    rows: Sequence[ResultRow],
    *,
    controls: Sequence[str],
    failures: Failures,
    intervals: Sequence[str] | None,
    n_boot: int,
    seed: int,
    published: bool,
) -> Iterator[str]:
    """Notes on the rows of one source and protocol.

    Args:
        rows: the rows.
        controls: labels of the rows that take no part in the choice of the best.
        failures: how missing values were handled.
        intervals: reasons why an interval is missing or narrow; ``None`` without intervals.
        n_boot: resamples behind the intervals.
        seed: of the resampling.
        published: whether the paper's rows stand beside.
    """
    if not rows:
        return
    sets = _sets(rows)
    official = all(
        set(counts) == {name for name, kind in OFFICIAL_SETS.items() if kind == category}
        for category, counts in sets.items()
    )
    parts = [
        f"{category}: " + ", ".join(f"{name} ({n})" for name, n in sorted(counts.items()))
        for category, counts in sorted(sets.items(), reverse=True)
    ]
    note = "" if official else " Not the official datasets: compare codecs here, not with others."
    yield f"Unweighted means over datasets (utterances). {'; '.join(parts)}.{note}"
    if published:
        other = "" if official else ", over the official datasets, not the ones above"
        yield (
            f"(paper): published figures ({CITATION}, Table 1){other}; official weights; "
            "operations counted the paper's way."
        )
        yield COUNTS
    for row in rows:
        yield from _incomplete(row)
        yield from _identical(row)
    if failures == "drop":
        yield from _dropped(rows)
    if controls and len(rows) > len(controls):
        yield f"Best in bold leaves out the control rows: {', '.join(controls)}."
    if intervals is not None:
        yield (
            f"[low, high]: 95 % bootstrap interval, {n_boot} resamples of utterances within "
            f"datasets, seed {seed}."
        )
        small = sorted(
            {s.dataset for row in rows for c in row.cells.values() for s in c.sets if _small(s)}
        )
        if small:
            yield f"{few_utterances(small)}."
        yield from _some(intervals, "more intervals with a remark")
    yield from locations(rows)
    yield from _coverage(rows)
    yield from _versions(rows)
    yield from _older(rows)
    yield from _conflicts(rows)


def few_utterances(datasets: Sequence[str]) -> str:
    """What resampling few utterances does to an interval."""
    return f"Intervals are too narrow with under {FEW} utterances ({', '.join(datasets)})"


def _small(s: SetScore) -> bool:
    return s.counted and 1 < len(s.values) < FEW


def of_store(store: Store) -> Iterator[str]:
    """Notes on what could not be read."""
    if store.problems:
        yield from _some([f"Not read: {problem}" for problem in store.problems], "more not read")


def _sets(rows: Sequence[ResultRow]) -> dict[str, dict[str, int]]:
    """Category to dataset to the most utterances that a row expects of it."""
    sets: dict[str, dict[str, int]] = {}
    for row in rows:
        for cell in row.cells.values():
            counts = sets.setdefault(cell.category, {})
            for s in cell.sets:
                counts[s.dataset] = max(counts.get(s.dataset, 0), s.expected)
    return sets


def _incomplete(row: ResultRow) -> Iterator[str]:
    short = [(key, cell) for key, cell in row.cells.items() if cell.scored < cell.expected]
    if not short:
        return
    counts = ", ".join(f"{_name(key)} {c.scored} of {c.expected}" for key, c in short)
    grouped: dict[tuple[str, str], list[str]] = {}
    for (metric, status, reason), n in row.reasons.items():
        if status != "identical":
            grouped.setdefault((status, reason), []).append(f"{metric.upper()} {n}")
    reasons = [
        f"{status} ({', '.join(sorted(which))}): {_shortened(reason)}"
        for (status, reason), which in grouped.items()
    ]
    absent = sum(_absent(cell) for _, cell in short)
    if absent:
        reasons.append(f"{absent} not computed yet (run the same command again)")
    shown = "; ".join(reasons[:_MOST])
    more = f"; {len(reasons) - _MOST} more reasons" if len(reasons) > _MOST else ""
    yield f"† {row.label}: {counts} scored; {shown}{more}."


def _absent(cell: MetricCell) -> int:
    return sum(max(0, s.expected - s.scored - s.undefined - s.failed) for s in cell.sets)


def _identical(row: ResultRow) -> Iterator[str]:
    cells = [(key, cell) for key, cell in row.cells.items() if cell.identical]
    if cells:
        counts = ", ".join(f"{_name(key)} {c.identical} of {c.expected}" for key, c in cells)
        yield f"{row.label}: reproduced sample for sample, kept out of the mean: {counts}."


def _dropped(rows: Sequence[ResultRow]) -> Iterator[str]:
    for row in rows:
        lost = {s.dataset: s.dropped for cell in row.cells.values() for s in cell.sets if s.dropped}
        if lost:
            parts = ", ".join(f"{dataset} ({why})" for dataset, why in sorted(lost.items()))
            yield f"‡ {row.label}: datasets dropped as the published scripts do: {parts}."


def locations(rows: Sequence[ResultRow]) -> Iterator[str]:
    """Which of several places the values are of, where runs gave these one name."""
    places: dict[str, list[str]] = {}
    for row in rows:
        places.setdefault(row.location, []).append(row.label)
    others = sorted({place for row in rows for place in row.elsewhere} - places.keys())
    if len(places) + len(others) > 1:
        one = len(places) == 1
        shown = "; ".join(
            place if one else f"{place} ({', '.join(labels)})" for place, labels in places.items()
        )
        hidden = f", not {', '.join(others)}" if others else ""
        yield (
            f"Runs found {rows[0].source} in several places; shown is that of the newest run: "
            f"{shown}{hidden}."
        )


def _coverage(rows: Sequence[ResultRow]) -> Iterator[str]:
    limited: dict[tuple[int, int], list[str]] = {}
    for row in rows:
        if row.selected < row.total:
            limited.setdefault((row.selected, row.total), []).append(row.label)
    for (selected, total), labels in limited.items():
        who = "" if len(labels) == len(rows) else f"{', '.join(labels)}: "
        yield f"{who}{selected} of {total} utterances of the source selected."
    expected: dict[tuple[tuple[str, int], ...], list[str]] = {}
    for row in rows:
        counts = {s.dataset: s.expected for cell in row.cells.values() for s in cell.sets}
        expected.setdefault(tuple(sorted(counts.items())), []).append(row.label)
    if len(expected) > 1:
        groups = "; ".join(
            f"{', '.join(labels)}: {sum(n for _, n in counts)} in {len(counts)} datasets"
            for counts, labels in expected.items()
        )
        yield f"Rows cover different utterances and do not compare: {groups}."


def _older(rows: Sequence[ResultRow]) -> Iterator[str]:
    """Metrics of somebody's own that changed while only a part was measured again."""
    for row in rows:
        for metric, count in row.older.items():
            yield (
                f"{row.label}: {metric.upper()} has changed since {count} clips were measured; "
                "their values are left out (run the same command again)."
            )


def _versions(rows: Sequence[ResultRow]) -> Iterator[str]:
    found: dict[str, dict[int, list[str]]] = {}
    for row in rows:
        for metric, version in row.versions.items():
            found.setdefault(metric, {}).setdefault(version, []).append(row.label)
    for metric, versions in found.items():
        if len(versions) > 1:
            parts = "; ".join(f"version {v}: {', '.join(ls)}" for v, ls in sorted(versions.items()))
            yield f"{metric.upper()} of different versions, not comparable: {parts}."


def _conflicts(rows: Sequence[ResultRow]) -> Iterator[str]:
    """Rows that were given different audio under the same id."""
    audio: dict[str, set[str]] = {}
    for row in rows:
        for utterance, sha256 in row.hashes.items():
            if sha256:
                audio.setdefault(utterance, set()).add(sha256)
    changed = sorted(utterance for utterance, hashes in audio.items() if len(hashes) > 1)
    if changed:
        shown = ", ".join(changed[:_MOST]) + (", ..." if len(changed) > _MOST else "")
        yield (
            f"The audio of {len(changed)} utterances differs between rows ({shown}): "
            "run the older rows again."
        )


def _some(lines: Iterable[str], rest: str) -> Iterator[str]:
    lines = list(lines)
    yield from (f"{line.rstrip('.')}." for line in lines[:_MOST])
    if len(lines) > _MOST:
        yield f"{len(lines) - _MOST} {rest}."


def _name(key: str) -> str:
    return key.replace("_", " ").upper().replace("AUDIO", "audio")


def _shortened(reason: str) -> str:
    line = " ".join(reason.split())
    return line if len(line) <= 100 else f"{line[:99]}…"
