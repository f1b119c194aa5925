"""The table: what the paper's Table 1 shows, of our results. Data only; `render` gives it a form.

One section per source and protocol, as values of different data or rules are not comparable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqbench.report import notes, paper
from sqbench.report.columns import FIXED, Column, columns_for
from sqbench.results.aggregate import Failures
from sqbench.results.aggregate import rows as aggregate_rows
from sqbench.results.row import Row
from sqbench.results.statistics import N_BOOT, Interval, bootstrap
from sqbench.results.store import Store
from sqcodec.errors import InputError

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
    """A row: ours, with the `Row` it was made from, or the paper's, without."""

    label: str
    weights: str
    entries: Mapping[str, Entry]
    row: Row | None = None

    @property
    def published(self) -> bool:
        return self.row is None


@dataclass(frozen=True, kw_only=True)
class Section:
    """The rows of one source under one protocol."""

    source: str
    protocol: str
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...]


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
    n_boot: int = N_BOOT,
    seed: int = 0,
) -> Table:
    """Build the table of a store.

    Args:
        store: loaded results (`sqbench.results.store.load`).
        failures: ``mean`` or ``drop`` (`sqbench.results.aggregate.rows`).
        ci: add 95 % bootstrap intervals.
        sort: a column of the CSV to sort by, metrics best first; by bitrate if not given.
        paper: add the paper's Table 1 after ours.
        source: keep this source only.
        protocol: keep this protocol only.

    Raises:
        InputError: no results, or an unknown ``sort``, ``source`` or ``protocol``.
    """
    found = _chosen(aggregate_rows(store, failures=failures), store, source, protocol)
    sections = []
    for key in dict.fromkeys((row.source, row.protocol) for row in found):
        rows = [row for row in found if (row.source, row.protocol) == key]
        columns = columns_for(rows)
        ours = [_table_row(row, columns, ci, n_boot, seed) for row in rows]
        ours = _sorted(_with_best(ours, columns), columns, sort)
        theirs = _sorted(_paper_rows(), columns, sort) if paper else []
        sections.append(
            Section(
                source=key[0],
                protocol=key[1],
                columns=columns,
                rows=(*ours, *theirs),
                notes=tuple(
                    notes.of_section(
                        rows,
                        controls=[r.label for r in rows if r.codec in CONTROLS],
                        failures=failures,
                        intervals=_interval_reasons(ours) if ci else None,
                        n_boot=n_boot,
                        seed=seed,
                        published=paper,
                    )
                ),
            )
        )
    return Table(sections=tuple(sections), failures=failures, notes=tuple(notes.of_store(store)))


def _chosen(rows: list[Row], store: Store, source: str | None, protocol: str | None) -> list[Row]:
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


def _table_row(row: Row, columns: Iterable[Column], ci: bool, n_boot: int, seed: int) -> TableRow:
    entries: dict[str, Entry] = {}
    for column in columns:
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
    return TableRow(label=row.label, weights=row.weights, entries=entries, row=row)


def _paper_rows() -> list[TableRow]:
    return [
        TableRow(
            label=paper.label(row),
            weights="",
            entries={column.key: Entry(value=getattr(row, column.key, None)) for column in FIXED},
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
        if column.direction is None:
            continue
        competing = [
            (index, value, row.row.cells[column.key].counted)
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
        if entry.interval is not None and entry.interval.reason and entry.value is not None
    ]
