"""``sqbench doctor``: what can run here, and the line that enables the rest."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqbench.doctor import Finding


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "doctor",
        help="what is installed and can run here",
        description="Exit status 0 if the offline main job can run (sqcodec-6k with bundled "
        "weights on the embedded data), else 1.",
    )
    parse.add_argument("--full", action="store_true", help="also run that job on a few clips")
    parse.add_argument(
        "--all", action="store_true", help="every package and operating point on a line of its own"
    )
    parse.add_argument("--format", choices=("table", "json"), default="table")
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Print; 0 if the main job can run."""
    from sqbench.doctor import can_run, examine
    from sqbench.report.console import console

    findings = examine(full=options.full)
    ready = can_run(findings)
    if options.format == "json":
        listed = [asdict(finding) for finding in findings]
        print(json.dumps({"main_job": ready, "findings": listed}, indent=1, ensure_ascii=False))
        return 0 if ready else 1
    shown = findings if options.all else condensed(findings)
    _print(shown)
    out = console()
    for finding in findings:
        if finding.needed and not finding.ok:
            out.print(f"NEEDED: {finding.name}: {finding.state}. {finding.cure}")
    verdict = "can run" if ready else "cannot run: see NEEDED above"
    out.print(f"The offline main job {verdict}.", style="bold")
    return 0 if ready else 1


def condensed(findings: Sequence[Finding]) -> list[Finding]:
    """The findings with packages by extra and codecs by family: a screen, not a scroll."""
    from sqbench.doctor import Finding
    from sqbench_codecs.catalogue import families

    family_of = {
        entry.name: (name, len(group)) for name, group in families().items() for entry in group
    }
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        name = finding.name
        if finding.section == "package":
            _, _, extra = name.partition(" (")
            name = f"extra {extra.rstrip(')')}" if extra else "required"
        elif finding.section == "codec" and name in family_of:
            family, count = family_of[name]
            name = f"{family} ({count})" if count > 1 else family
        groups.setdefault((finding.section, name), []).append(finding)
    return [
        Finding(
            section=section,
            name=name,
            ok=all(each.ok for each in group),
            state=_state(group),
            cure=next((each.cure for each in group if each.cure), ""),
            needed=any(each.needed for each in group),
        )
        for (section, name), group in groups.items()
    ]


def _state(group: Sequence[Finding]) -> str:
    if len(group) == 1:
        return group[0].state
    lacking = [each for each in group if not each.ok]
    if not lacking:
        return f"all {len(group)} there"
    if lacking[0].section == "package":
        return f"not there: {', '.join(each.name.partition(' (')[0] for each in lacking)}"
    states = dict.fromkeys(each.state for each in lacking)
    there = len(group) - len(lacking)
    first = next(iter(states)).partition(":")[0]
    return f"{there} of {len(group)} ready; others: {first}" if there else first


def _print(findings: Sequence[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    from sqbench.report.console import console

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    previous = ""
    cures: dict[str, list[str]] = {}
    for finding in findings:
        if finding.section != previous:
            table.add_row(Text(finding.section, style="bold"))
            previous = finding.section
        mark = "ok" if finding.ok else "NEEDED" if finding.needed else "-"
        table.add_row(Text(f" {mark}"), Text(finding.name), Text(finding.state))
        if finding.cure and not finding.ok:
            cures.setdefault(finding.cure, []).append(finding.name)
    out = console()
    out.print(table)
    if cures:
        out.print("To enable more:", style="bold")
        for cure, names in cures.items():
            out.print(f"  {cure}    ({', '.join(names[:4])}{', ...' if len(names) > 4 else ''})")
