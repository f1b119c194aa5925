"""``sqbench complexity``: multiply-adds, parameters, and measured speed."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import Any


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "complexity",
        help="count and time codecs",
        description="Count multiply-adds and parameters, without weights; --speed loads the codecs "
        "and measures seconds, memory and look-ahead too.",
    )
    parse.add_argument(
        "--codec", action="append", metavar="NAME", help="default: all; repeat for more"
    )
    parse.add_argument(
        "--convention",
        choices=("uniform", "paper"),
        default="uniform",
        help="uniform: one counter for all; paper: as the published tables were counted "
        "(default: uniform)",
    )
    parse.add_argument("--format", choices=("table", "csv", "json"), default="table")
    parse.add_argument("--speed", action="store_true", help="measure too")
    parse.add_argument("--weights", default="auto", help="of the codecs measured (default: auto)")
    parse.add_argument("--device", default="cpu", help="to measure on (default: cpu)")
    parse.add_argument("--threads", type=int, help="to measure with (default: torch's choice)")
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Print; 0 all counted, 2 some not."""
    from sqbench.complexity import report as complexity
    from sqbench.complexity.run import build
    from sqbench.complexity.speed import measure

    speed = partial(
        measure, weights=options.weights, device=options.device, threads=options.threads
    )
    rows = build(
        options.codec or (),
        convention=options.convention,
        speed=speed if options.speed else None,
    )
    if options.format == "table":
        complexity.show(rows, options.convention)
    else:
        for row in rows:
            if row.reason:
                print(f"{row.model}: {row.reason}", file=sys.stderr)
        csv = options.format == "csv"
        print(
            complexity.to_csv(rows) if csv else complexity.to_json(rows, options.convention), end=""
        )
    return 2 if any(row.reason for row in rows) else 0
