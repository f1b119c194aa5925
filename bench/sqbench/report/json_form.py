"""The JSON form of reports: everything that the other forms show, and what it was made from."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqbench.report.compare import Comparison
from sqbench.report.table import Entry, Section, Table, TableRow
from sqbench.store.applications import Application
from sqbench.store.row import MetricCell, ResultRow


def table_json(table: Table) -> list[dict[str, Any]]:
    """One object per source and protocol.

    Each has ``source``, ``protocol``, ``failures``, ``notes`` and ``rows``. A row has ``model``,
    ``published`` (the paper's or ours), the columns of the CSV, ``intervals`` and ``best`` by
    column; ours also the codec's identity and description, ``scores`` by column with counts and
    datasets, and ``reasons``.
    """
    return [
        {
            "source": section.source,
            "protocol": section.protocol,
            "failures": table.failures,
            "notes": [*section.notes, *table.notes],
            "rows": [_row(row, section) for row in section.rows],
        }
        for section in table.sections
    ]


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """``a``, ``b``, ``source``, ``protocol``, ``notes``, and ``metrics`` by column."""
    return {
        "a": comparison.a,
        "b": comparison.b,
        "source": comparison.source,
        "protocol": comparison.protocol,
        "notes": list(comparison.notes),
        "metrics": {
            m.column.key: {
                "direction": m.column.direction,
                "value_a": m.value_a,
                "value_b": m.value_b,
                "difference": m.paired.difference,
                "interval": asdict(m.paired.interval),
                "n": m.paired.n,
                "wins": m.paired.wins,
                "losses": m.paired.losses,
                "ties": m.paired.ties,
                "win_rate": m.paired.win_rate,
                "left_out": m.left_out,
            }
            for m in comparison.metrics
        },
    }


def _row(row: TableRow, section: Section) -> dict[str, Any]:
    entries = {c.key: row.entries.get(c.key, Entry(value=None)) for c in section.columns}
    form: dict[str, Any] = {
        "model": row.label,
        "published": row.published,
        "original": row.original,
        **{key: entry.value for key, entry in entries.items()},
        "best": [key for key, entry in entries.items() if entry.best],
        "intervals": {k: asdict(e.interval) for k, e in entries.items() if e.interval is not None},
    }
    if row.heard:
        form["applications"] = [_application(one) for one in row.heard.values()]
    return form if row.row is None else {**form, **_traced(row.row)}


def _application(one: Application) -> dict[str, Any]:
    """Every quantity of a task by an evaluator, those without a column too."""
    return {**asdict(one), "complete": one.complete}


def _traced(row: ResultRow) -> dict[str, Any]:
    return {
        "codec": row.codec,
        "codec_id": row.codec_id,
        "weights": row.weights,
        "description": dict(row.description),
        "complete": row.complete,
        "location": row.location,
        "selected": row.selected,
        "total": row.total,
        "metric_versions": dict(row.versions),
        "scores": {key: _cell(cell) for key, cell in row.cells.items()},
        "reasons": [
            {"metric": metric, "status": status, "reason": reason, "count": count}
            for (metric, status, reason), count in row.reasons.items()
        ],
    }


def _cell(cell: MetricCell) -> dict[str, Any]:
    return {
        "value": cell.value,
        "scored": cell.scored,
        "expected": cell.expected,
        "identical": cell.identical,
        "datasets": {
            s.dataset: {
                "mean": s.mean,
                "scored": s.scored,
                "expected": s.expected,
                "identical": s.identical,
                "undefined": s.undefined,
                "failed": s.failed,
                "dropped": s.dropped,
            }
            for s in cell.sets
        },
    }
