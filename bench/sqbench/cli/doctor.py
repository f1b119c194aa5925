"""``sqbench doctor``: what can run here, and the line that enables the rest."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from itertools import groupby
from typing import Any


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "doctor",
        help="what is installed and can run here",
        description="Exit status 0 if the offline main job can run (sqcodec-6k with bundled "
        "weights on the embedded data), else 1.",
    )
    parse.add_argument("--full", action="store_true", help="also run that job on a few clips")
    parse.add_argument("--format", choices=("table", "json"), default="table")
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Print; 0 if the main job can run."""
    from sqbench.doctor import can_run, examine

    findings = examine(full=options.full)
    ready = can_run(findings)
    if options.format == "json":
        listed = [asdict(finding) for finding in findings]
        print(json.dumps({"main_job": ready, "findings": listed}, indent=1, ensure_ascii=False))
        return 0 if ready else 1
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    for section, group in groupby(findings, key=lambda finding: finding.section):
        table = Table(box=None, pad_edge=False, title=section, title_justify="left")
        for title in ("", "name", "state", "to enable it"):
            table.add_column(title, overflow="fold")
        for finding in group:
            mark = "ok" if finding.ok else "NEEDED" if finding.needed else "-"
            table.add_row(*map(Text, (mark, finding.name, finding.state, finding.cure)))
        console.print(table)
        console.print()
    verdict = "can run" if ready else "cannot run: see NEEDED above"
    console.print(f"The offline main job {verdict}.")
    return 0 if ready else 1
