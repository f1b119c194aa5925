"""``sqbench metrics``: every metric, its direction and bounds."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser("metrics", help="list metrics")
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Print."""
    from rich.table import Table

    from sqbench.metrics.catalogue import METRICS
    from sqbench.report.console import console

    table = Table(box=None, pad_edge=False)
    for title in ("metric", "better", "bounds", "version", "data", "what"):
        table.add_column(title, no_wrap=title != "what")
    for entry in METRICS:
        metric = entry.load()
        low, high = ("" if bound is None else f"{bound:g}" for bound in metric.bounds)
        table.add_row(
            metric.name,
            metric.direction,
            f"{low} .. {high}" if low or high else "none",
            str(metric.version),
            ", ".join(metric.categories),
            entry.summary,
        )
    for problem in METRICS.problems:
        print(f"warning: {problem}", file=sys.stderr)
    console().print(table)
    return 0
