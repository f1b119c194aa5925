"""``sqbench metrics``: every metric, its direction and bounds, and what listeners say of it."""

from __future__ import annotations

import argparse
import sys
import textwrap
from typing import Any


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

    from rich.table import Table

    from sqbench.agreement.known import known
    from sqbench.metrics.catalogue import METRICS
    from sqbench.report.console import console

    agreement = known()
    sets = ", ".join(dict.fromkeys(each.set for each in agreement.values()))
    table = Table(box=None, pad_edge=False)
    listeners = f"agrees with listeners\n({sets})"
    for title in ("metric", "better", "bounds", "version", "data", listeners, "here", "what"):
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
            str(agreement.get(metric.name, "")),
            "no" if entry.missing() else "fetches" if entry.fetches() else "yes",
            entry.summary,
        )
    for problem in METRICS.problems:
        print(f"warning: {problem}", file=sys.stderr)
    console().print(table)
    for entry in METRICS:
        if entry.missing():
            print(f"{entry.name}: {entry.remedy}")
    return 0
