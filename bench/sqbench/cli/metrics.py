"""``sqbench metrics``: every metric, its direction and bounds, and what listeners say of it."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqbench.metrics.catalogue import MetricEntry
    from sqbench.report.grid import Grid


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "metrics",
        help="list metrics, and which to report",
        description="List metrics. The column of listeners has the share of pairs of rated clips "
        "that a metric orders as listeners do, with its 95 %% interval; 0.5 is chance.",
    )
    parse.add_argument(
        "--recommend", metavar="WHAT", help="what to report, and why: speech, music or tokens"
    )
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Print."""
    if options.recommend is not None:
        from sqbench.agreement.recommend import recommend

        print(textwrap.fill(recommend(options.recommend), 92, break_on_hyphens=False))
        return 0

    from sqbench.metrics.catalogue import METRICS
    from sqbench.report import render

    for problem in METRICS.problems:
        print(f"warning: {problem}", file=sys.stderr)
    render.show_grid(_grid(METRICS))
    return 0


def _grid(entries: Iterable[MetricEntry]) -> Grid:
    from sqbench.agreement.known import known
    from sqbench.report.grid import Grid, GridCell, Head

    agreement = known()
    rows: list[list[GridCell]] = []
    notes: list[str] = []
    for entry in entries:
        metric = entry.load()
        low, high = ("" if bound is None else f"{bound:g}" for bound in metric.bounds)
        cells = (
            metric.name,
            _ARROWS.get(metric.direction, ""),
            f"{low} .. {high}".strip() if low or high else "none",
            ", ".join(metric.categories),
            str(agreement.get(metric.name, "")),
            "no" if entry.missing() else "fetches" if entry.fetches() else "yes",
            str(metric.version),
            entry.summary,
        )
        rows.append([GridCell(text=text) for text in cells])
        if entry.missing():
            notes.append(f"{entry.name}: {entry.remedy}")
    heads = [
        Head(title="Metric", number=False),
        Head(title="", number=False),
        Head(title="Bounds", number=False),
        Head(title="Data", number=False),
        Head(title="Agrees with", below="listeners", number=False),
        Head(title="Here", number=False),
        Head(title="Version", number=False, spare=True),
        Head(title="What", number=False, spare=True),
    ]
    sets = ", ".join(dict.fromkeys(each.set for each in agreement.values()))
    return Grid(
        title="",
        heads=heads,
        groups=[rows],
        notes=[
            "↑ higher is better, ↓ lower. Agrees with listeners: the share of pairs of rated clips "
            f"that it orders as they do, with its 95 % interval ({sets}); 0.5 is chance.",
            *notes,
        ],
    )


_ARROWS = {"higher": "↑", "lower": "↓"}
