"""``sqbench codecs``: every operating point, and what it needs."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser("codecs", help="list codecs and what each needs")
    parse.add_argument("--format", choices=("table", "json"), default="table")
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Print."""
    from sqbench_codecs import CODECS

    entries = list(CODECS)
    for problem in CODECS.problems:
        print(f"warning: {problem}", file=sys.stderr)
    if options.format == "json":
        listed = [
            {
                "name": entry.name,
                "aliases": list(entry.aliases),
                "sample_rate": entry.spec.sample_rate,
                "frame_rate": entry.spec.frame_rate,
                "num_codebooks": entry.spec.num_codebooks,
                "codebook_sizes": list(entry.spec.codebook_sizes),
                "bitrate_bps": entry.spec.bitrate_bps,
                "readiness": entry.readiness(),
                "summary": entry.summary,
            }
            for entry in entries
        ]
        print(json.dumps(listed, indent=1))
        return 0
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("codec", "rate (Hz)", "frames/s", "#Q", "size", "bit/s"):
        table.add_column(title, justify="left" if title == "codec" else "right", no_wrap=True)
    table.add_column("ready")
    table.add_column("what")
    previous = None
    for entry in entries:
        spec = entry.spec
        target = entry.target
        family = target.partition(":")[0] if isinstance(target, str) else target.__module__
        if previous not in (None, family):
            table.add_row()
        previous = family
        sizes = sorted(set(spec.codebook_sizes))
        table.add_row(
            entry.name,
            f"{spec.sample_rate}" if spec.sample_rate else "any",
            f"{spec.frame_rate:.2f}" if spec.frame_rate else "",
            f"{spec.num_codebooks}",
            ", ".join(f"{size}" for size in sizes),
            f"{spec.bitrate_bps:.1f}" if spec.bitrate_bps is not None else "by rate",
            escape(entry.readiness()),  # sqbench[codecs] is no markup
            entry.summary,
        )
    Console(width=None if sys.stdout.isatty() else 180, highlight=False).print(table)
    return 0
