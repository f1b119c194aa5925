"""One source under one protocol as data for a page: rows, comparisons, clips, correlations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sqbench.pages import clips as per_clip
from sqbench.pages import cost, families
from sqbench.pages.bjontegaard import Method
from sqbench.pages.correlations import correlations
from sqbench.pages.deltas import FEW_POINTS, LineDelta, deltas
from sqbench.pages.matrix import matrix
from sqbench.pages.pairs import CodecPair, pairs
from sqbench.published import rows as paper
from sqbench.report.best import rate_class
from sqbench.report.columns import Column
from sqbench.report.table import Entry, Section, TableRow, with_best
from sqbench.statistics import N_BOOT
from sqbench.store.reader import Store
from sqbench.store.row import ResultRow


@dataclass(frozen=True, kw_only=True)
class PageSettings:
    """How the numbers of a page are made.

    Attributes:
        method: how Bjøntegaard's curves are interpolated.
        n_boot: bootstrap resamples.
        seed: of resampling and of sign flips.
        told: measured costs (`sqbench.pages.cost.measured`).
    """

    method: Method = "pchip"
    n_boot: int = N_BOOT
    seed: int = 0
    told: cost.Measured = field(default_factory=dict)


def build(section: Section, store: Store, settings: PageSettings) -> dict[str, Any]:
    """The section as JSON (docs/report.md has the schema), without the addresses of audio."""
    ours = [row.row for row in section.rows if row.row is not None]
    seen = per_clip.collect(ours, section.columns)
    real = [row for row in ours if not families.is_control(row)]
    means = {
        row.label: {key: entry.value for key, entry in row.entries.items()} for row in section.rows
    }
    return {
        **points(section, store, settings),
        "deltas": _deltas(real, section.columns, settings),
        "pairs": _pairs(ours, section.columns, settings),
        "clips": seen.to_json(),
        "correlations": correlations(
            per_clip.collect(real, section.columns), means, section.columns
        ),
    }


def points(section: Section, store: Store, settings: PageSettings) -> dict[str, Any]:
    """The part of `build` that tables and curves need: columns and rows."""
    ours = [row.row for row in section.rows if row.row is not None]
    return {
        "source": section.source,
        "protocol": section.protocol,
        "notes": list(section.notes),
        "columns": [_column(column) for column in section.columns],
        "rows": [_row(row, section, ours, store, settings) for row in _best_in_band(section)],
    }


def _best_in_band(section: Section) -> list[TableRow]:
    """The section's rows with the best of each band marked instead of the best of all."""
    cleared = [
        replace(row, entries={k: replace(e, best=False) for k, e in row.entries.items()})
        for row in section.rows
    ]
    of_band: dict[int | None, list[int]] = {}
    for i, row in enumerate(cleared):
        if row.row is not None and not families.is_control(row.row):
            of_band.setdefault(rate_class(families.rate_of(row)), []).append(i)
    for places in of_band.values():
        marked = with_best([cleared[i] for i in places], section.columns)
        for i, row in zip(places, marked, strict=True):
            cleared[i] = row
    return cleared


def _column(column: Column) -> dict[str, Any]:
    names = ("key", "title", "unit", "by", "digits", "direction", "scores", "group")
    category = column.block.split()[-1] if column.scores else ""
    if column.by:
        category = "application"
    return {**{name: getattr(column, name) for name in names}, "category": category}


def _row(
    row: TableRow, section: Section, ours: Sequence[ResultRow], store: Store, settings: PageSettings
) -> dict[str, Any]:
    scores = [column for column in section.columns if column.scores]
    entries = {c.key: row.entries.get(c.key, Entry(value=None)) for c in section.columns}
    form: dict[str, Any] = {
        "label": row.label,
        "kind": _kind(row),
        "weights": row.weights,
        "band": rate_class(families.rate_of(row)),
        "values": {key: entry.value for key, entry in entries.items()},
        "texts": {key: entry.text for key, entry in entries.items() if entry.text},
        "best": [key for key, entry in entries.items() if entry.best],
        "intervals": {
            key: [entry.interval.low, entry.interval.high]
            for key, entry in entries.items()
            if entry.interval is not None and entry.interval.low is not None
        },
        "incomplete": [key for key, e in entries.items() if e.value is not None and not e.complete],
    }
    if row.row is None:
        return {**form, **_published(row)} if row.published else {**form, **_original(row)}
    of_row = row.row
    lines = families.lines(ours)
    counts, reasons = {}, {}
    for column in scores:
        if column.by:
            count, reason = _application(row, column)
        elif column.key in of_row.cells:
            cell = of_row.cells[column.key]
            count = [cell.scored, cell.expected, cell.identical]
            reason = per_clip.why_missing(of_row, column.key)
            if cell.identical:
                reason = "; ".join(
                    filter(None, (reason, f"reproduced sample for sample ({cell.identical})"))
                )
        else:
            count, reason = None, "not measured"
        if count is not None:
            counts[column.key] = count
        if reason:
            reasons[column.key] = reason
    costs = cost.of_row(of_row, store, settings.told)
    for key in ("macs_g", "params_m"):
        if entries[key].value is None and key in entries:
            reasons[key] = costs["reason"]
    if entries["bitrate_bps"].value is None:
        reasons["bitrate_bps"] = "depends on the audio's rate"
    if entries["measured_bps"].value is None:
        reasons["measured_bps"] = "no clip was coded by these runs"
    return {
        **form,
        "codec": of_row.codec,
        "codec_id": of_row.codec_id,
        "line": lines[row.label],
        "sha256": (of_row.description.get("weights") or {}).get("sha256"),
        "sample_rate": of_row.description.get("sample_rate"),
        "counts": counts,
        "reasons": reasons,
        "cost": costs,
        "selected": of_row.selected,
        "total": of_row.total,
        "versions": dict(of_row.versions),
    }


def _kind(row: TableRow) -> str:
    if row.original:
        return "original"
    if row.row is None:
        return "paper"
    return "control" if families.is_control(row.row) else "codec"


def _published(row: TableRow) -> dict[str, Any]:
    (match,) = (each for each in paper.table1() if paper.label(each) == row.label)
    return {
        "line": families.published_line(row.label, match.sample_rate),
        "sample_rate": match.sample_rate,
        "counts": {},
        "reasons": {
            key: "not in the paper" for key, entry in row.entries.items() if entry.value is None
        },
        "cost": cost.of_published(match),
    }


def _original(row: TableRow) -> dict[str, Any]:
    reasons = {
        key: "the original itself" for key, entry in row.entries.items() if entry.value is None
    }
    return {"line": row.label, "counts": {}, "reasons": reasons}


def _application(row: TableRow, column: Column) -> tuple[list[int] | None, str]:
    """[heard, expected, 0] of an evaluator's column, and why what is missing is."""
    of_column = [
        one
        for (_, evaluator), one in row.heard.items()
        if evaluator == column.by and column.key == f"{_quantity(column)}[{evaluator}]"
        if _quantity(column) in one.values
    ]
    if not of_column:
        return None, "not heard"
    one = of_column[0]
    parts = [f"{text} ({n})" for text, n in list(one.reasons.items())[:3]]
    absent = one.expected - one.heard - sum(one.reasons.values())
    if absent:
        parts.append(f"not heard yet ({absent})")
    parts += [f"{why} ({n})" for why, n in one.values[_quantity(column)].left_out.items()]
    if row.entries[column.key].value is None and not parts:
        parts.append(one.values[_quantity(column)].interval.reason or "no value")
    return [one.heard, one.expected, 0], "; ".join(parts)


def _quantity(column: Column) -> str:
    return column.key.partition("[")[0]


def _deltas(
    rows: Sequence[ResultRow], columns: Sequence[Column], settings: PageSettings
) -> list[dict[str, Any]]:
    bits = {row.label: row.measured_bps for row in rows if row.measured_bps is not None}
    lines = families.lines(rows)
    found = []
    for column in _compared(columns):
        of_column = deltas(
            matrix(rows, column.key),
            bits,
            lines,
            higher_is_better=column.direction != "lower",
            method=settings.method,
            n_boot=settings.n_boot,
            seed=settings.seed,
        )
        found += [{"key": column.key, **_delta(each)} for each in of_column]
    return found


def _delta(each: LineDelta) -> dict[str, Any]:
    form = asdict(each)
    for name in ("rate", "quality"):
        delta = getattr(each, name)
        form[name] = {
            "value": per_clip.short(delta.value),
            "low": per_clip.short(delta.interval.low),
            "high": per_clip.short(delta.interval.high),
            "reason": delta.reason or delta.interval.reason,
        }
    form["points"] = list(each.points)
    form["few"] = min(each.points) < FEW_POINTS
    for name in ("shared_quality", "shared_rate"):
        form[name] = round(form[name], 3)
    return form


def _pairs(
    rows: Sequence[ResultRow], columns: Sequence[Column], settings: PageSettings
) -> Mapping[str, list[list[Any]]]:
    """By column, lists as `PAIR` names them."""
    found = {}
    for column in _compared(columns):
        made = pairs(
            matrix(rows, column.key),
            higher_is_better=column.direction != "lower",
            n_boot=settings.n_boot,
            seed=settings.seed,
        )
        found[column.key] = [_pair(each, rows) for each in made if each.n]
    return found


PAIR = ("a", "b", "difference", "low", "high", "n", "wins", "losses", "p", "p_holm")


def _pair(pair: CodecPair, rows: Sequence[ResultRow]) -> list[Any]:
    numbers = [per_clip.short(each) for each in (pair.difference, pair.low, pair.high)]
    tests = [None if p is None else float(f"{p:.3g}") for p in (pair.p, pair.p_holm)]
    return [
        rows[pair.a].label, rows[pair.b].label, *numbers, pair.n, pair.wins, pair.losses, *tests,
    ]  # fmt: skip


def _compared(columns: Sequence[Column]) -> list[Column]:
    """Columns of metrics a clip: an application has no value of a single clip."""
    return [column for column in columns if column.scores and not column.by]
