"""The table: what the paper's Tables 1 and 2 show, of our results. Data only; `render` draws it.

One section per source and protocol, as values of different data or rules are not comparable.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqbench.errors import InputError
from sqbench.published import rows as paper
from sqbench.report import applied, notes
from sqbench.report.applied import Applied
from sqbench.report.columns import FIXED, GROUPS, Column, columns_for
from sqbench.statistics import N_BOOT, NOT_ASKED, Interval, bootstrap
from sqbench.store import versions
from sqbench.store.aggregate import Failures
from sqbench.store.aggregate import rows as aggregate_rows
from sqbench.store.applications import Heard, applications
from sqbench.store.reader import Store
from sqbench.store.record import ORIGINAL
from sqbench.store.row import ResultRow

CONTROLS = ("identity", "silence", "mulaw-8", "resample-8k")
"""Codecs that are there to check the ruler; never called best."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One value of a row.

    Attributes:
        value: ``None`` if there is none.
        text: shown where there is no value (``identical``).
        interval: of the value, where asked for.
        complete: whether every expected utterance is scored.
        dropped: whether a dataset was dropped from it (``failures="drop"``).
        best: whether it is the best of its column.
    """

    value: float | None
    text: str = ""
    interval: Interval | None = None
    complete: bool = True
    dropped: bool = False
    best: bool = False


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """A row: ours, with its `ResultRow`; the original audio's, or the paper's, without.

    ``heard`` is what evaluators said of it.
    """

    label: str
    weights: str
    entries: Mapping[str, Entry]
    row: ResultRow | None = None
    heard: Heard = field(default_factory=dict)
    original: bool = False

    @property
    def published(self) -> bool:
        return self.row is None and not self.original


@dataclass(frozen=True, kw_only=True)
class Section:
    """The rows of one source under one protocol; ``suite`` if only one's columns were wanted."""

    source: str
    protocol: str
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...]
    suite: str | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """All sections, and what is to be said about all of them."""

    sections: tuple[Section, ...]
    failures: Failures
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[TableRow, ...]:
        return tuple(row for section in self.sections for row in section.rows)


def build(
    store: Store,
    *,
    failures: Failures = "mean",
    ci: bool = False,
    sort: str | None = None,
    paper: bool = False,
    source: str | None = None,
    protocol: str | None = None,
    suite: str | None = None,
    codecs: Sequence[str] = (),
    all_versions: bool = False,
    n_boot: int = N_BOOT,
    seed: int = 0,
) -> Table:
    """Build the table of a store.

    Args:
        store: loaded results (`sqbench.store.reader.load`).
        failures: ``mean`` or ``drop`` (`sqbench.store.aggregate.rows`).
        ci: add 95 % bootstrap intervals.
        sort: a column of the CSV to sort by, metrics best first; by bitrate if not given.
        paper: add the paper's Table 1, and Table 2 where applications were run, after ours.
        source: keep this source only.
        protocol: keep this protocol only.
        suite: ``signal``, ``perceptual`` or ``application``: no scores of another; the row of the
            paper's figures needs the signal ones.
        codecs: keep these only (`sqbench.store.versions.chosen`).
        all_versions: also versions of a codec that a newer one stands for.

    Raises:
        InputError: no results, or an unknown ``sort``, ``source``, ``protocol`` or ``suite``.
    """
    if suite is not None and suite not in GROUPS:
        raise InputError(f"--suite {suite}", expected=f"one of {', '.join(GROUPS)}")
    found = _chosen(aggregate_rows(store, failures=failures), store, source, protocol)
    found, hidden = versions.chosen(found, codecs, all_versions=all_versions)
    often = applied.resamples(ci, n_boot)
    heard = applications(store, lambda name: often[name in applied.OFFLINE], seed=seed)
    sections = []
    for key in dict.fromkeys((row.source, row.protocol) for row in found):
        rows = [row for row in found if (row.source, row.protocol) == key]
        of_rows = [heard.get((row.source, row.codec_id), {}) for row in rows]
        listened = applied.applied_columns(of_rows, published=paper)
        columns = (*columns_for(rows), *(each.column for each in listened))
        if suite is not None:
            columns = tuple(each for each in columns if each.group in ("", suite))
            rows = [_only(row, {each.key for each in columns}) for row in rows]
            listened = listened if suite == "application" else []
        ours = [
            _table_row(row, columns, ci, n_boot, seed, of_row, listened)
            for row, of_row in zip(rows, of_rows, strict=True)
        ]
        ours = _sorted(_with_best(ours, columns), columns, sort)
        theirs = _sorted(_paper_rows(listened), columns, sort) if paper else []
        original = heard.get((key[0], ORIGINAL), {}) if listened else {}
        top = [_original_row(original, columns, listened)] if original else []
        signal = [row for row in rows if row.cells]
        labelled = dict(
            zip([ORIGINAL, *(r.label for r in rows)], [original, *of_rows], strict=True)
        )
        sections.append(
            Section(
                source=key[0],
                protocol=key[1],
                columns=columns,
                suite=suite,
                rows=(*top, *ours, *theirs),
                notes=(
                    *notes.of_section(
                        signal,
                        controls=[r.label for r in rows if r.codec in CONTROLS],
                        failures=failures,
                        intervals=_interval_reasons(ours) if ci else None,
                        n_boot=n_boot,
                        seed=seed,
                        published=paper,
                    ),
                    *applied.notes(labelled, listened, ci=ci, n_boot=n_boot, seed=seed),
                ),
            )
        )
    said = filter(None, (versions.note(hidden), *notes.of_store(store)))
    return Table(sections=tuple(sections), failures=failures, notes=tuple(said))


def _only(row: ResultRow, keys: Collection[str]) -> ResultRow:
    """A row without the cells of other columns, and what is said of them."""
    cells = {key: cell for key, cell in row.cells.items() if key in keys}
    metrics = {cell.metric for cell in cells.values()}
    reasons = {key: count for key, count in row.reasons.items() if key[0] in metrics}
    return replace(row, cells=cells, reasons=reasons)


def _chosen(
    rows: list[ResultRow], store: Store, source: str | None, protocol: str | None
) -> list[ResultRow]:
    if not rows:
        found = f"{len(store.problems)} unreadable lines" if store.problems else "nothing"
        raise InputError(
            "results",
            expected="records of at least one run",
            found=found,
            remedy="Run `sqbench run --codec NAME --suite signal --out results/` first.",
        )
    for what, wanted in (("source", source), ("protocol", protocol)):
        there = dict.fromkeys(getattr(row, what) for row in rows)
        if wanted is not None and wanted not in there:
            raise InputError(f"--{what} {wanted}", expected=f"one of {', '.join(there)}")
        rows = [row for row in rows if wanted is None or getattr(row, what) == wanted]
    return rows


def _table_row(
    row: ResultRow,
    columns: Iterable[Column],
    ci: bool,
    n_boot: int,
    seed: int,
    heard: Heard,
    listened: Sequence[Applied],
) -> TableRow:
    entries = _heard_entries(heard, listened)
    for column in columns:
        if column.by:
            continue
        if not column.scores:
            value = row.measured_bps if column.key == "measured_bps" else row.number(column.key)
            entries[column.key] = Entry(value=value)
        elif column.key in row.cells:
            cell = row.cells[column.key]
            sets = [s.values for s in cell.sets if s.counted]
            all_identical = cell.value is None and cell.identical > 0
            entries[column.key] = Entry(
                value=cell.value,
                text="identical" if all_identical else "",
                interval=bootstrap(sets, n_boot=n_boot, seed=seed) if ci else None,
                complete=cell.scored == cell.expected,
                dropped=any(s.dropped for s in cell.sets),
            )
        else:
            entries[column.key] = Entry(value=None)
    return TableRow(label=row.label, weights=row.weights, entries=entries, row=row, heard=heard)


def _heard_entries(heard: Heard, listened: Sequence[Applied]) -> dict[str, Entry]:
    entries = {}
    for each in listened:
        one = each.of(heard)
        estimate = one.values[each.quantity] if one is not None else None
        entries[each.column.key] = (
            Entry(value=None)
            if one is None or estimate is None
            else Entry(value=estimate.value, interval=estimate.interval, complete=one.complete)
        )
    return entries


def _original_row(heard: Heard, columns: Iterable[Column], listened: Sequence[Applied]) -> TableRow:
    entries = {column.key: Entry(value=None) for column in columns}
    entries.update(_heard_entries(heard, listened))
    return TableRow(label=ORIGINAL, weights="", entries=entries, heard=heard, original=True)


def _paper_rows(listened: Sequence[Applied]) -> list[TableRow]:
    return [
        TableRow(
            label=paper.label(row),
            weights="",
            entries={
                **{column.key: Entry(value=getattr(row, column.key, None)) for column in FIXED},
                **{
                    key: Entry(value=value)
                    for key, value in applied.published_values(row, listened).items()
                },
            },
        )
        for row in paper.table1()
    ]


def _with_best(rows: list[TableRow], columns: Iterable[Column]) -> list[TableRow]:
    """Mark the best value of each column, among rows that could have had it.

    A row that lacks utterances which another row has does not compete: what it lacks is likely
    what was hard. One row alone has nobody to be better than.
    """
    marked = list(rows)
    for column in columns:
        if column.direction is None or column.by in applied.OFFLINE:
            continue
        competing = [
            (index, value, _counted(row, column))
            for index, row in enumerate(rows)
            if row.row is not None
            and row.row.codec not in CONTROLS
            and (value := row.entries[column.key].value) is not None
        ]
        most = max((scored for _, _, scored in competing), default=0)
        values = {index: value for index, value, scored in competing if scored == most}
        if len(values) < 2:
            continue
        best = (max if column.direction == "higher" else min)(values.values())
        for index, value in values.items():
            if value == best:
                row = marked[index]
                entry = replace(row.entries[column.key], best=True)
                marked[index] = replace(row, entries={**row.entries, column.key: entry})
    return marked


def _counted(row: TableRow, column: Column) -> int:
    """Over how many utterances the value of a column is taken."""
    if column.by:
        return max(one.heard for (_, name), one in row.heard.items() if name == column.by)
    assert row.row is not None
    return row.row.cells[column.key].counted


def _sorted(
    rows: Sequence[TableRow], columns: Sequence[Column], sort: str | None
) -> list[TableRow]:
    if sort == "model":
        return sorted(rows, key=lambda row: row.label)
    by = {column.key: column for column in columns}
    if sort is not None and sort not in by:
        raise InputError(f"--sort {sort}", expected=f"one of model, {', '.join(by)}")
    key = sort or "bitrate_bps"
    sign = -1.0 if by[key].direction == "higher" else 1.0

    def place(row: TableRow) -> tuple[bool, float]:
        value = row.entries[key].value if key in row.entries else None
        return (value is None, 0.0 if value is None else sign * value)

    return sorted(rows, key=place)


def _interval_reasons(rows: Iterable[TableRow]) -> list[str]:
    return [
        f"{row.label} {key}: {entry.interval.reason}"
        for row in rows
        for key, entry in row.entries.items()
        if entry.interval is not None
        and entry.interval.reason
        and entry.value is not None
        and entry.interval.reason != NOT_ASKED
    ]
