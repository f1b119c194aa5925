"""``sqbench data check``: what is in a source, whole and readable or not."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqbench.data.check import CheckReport


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser("data", help="look at data")
    actions = parse.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="read every clip and report on each set")
    check.add_argument("source", help="as --data of `sqbench run`")
    check.add_argument("--domain", choices=("speech", "music", "general"))
    check.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Print; 0 all fine, 2 something cannot be scored."""
    from sqbench.data.check import check

    report = check(options.source, domain=options.domain)
    _print(report)
    return 0 if report.ok else 2


def _print(report: CheckReport) -> None:
    from rich.table import Table

    from sqbench.data.files import listed
    from sqbench.report.console import console as make_console

    console = make_console()
    console.print(f"{report.name} ({report.location})", soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for title in ("set", "category", "files", "minutes", "rates (Hz)", "channels", "state"):
        table.add_column(title, justify="right" if title in ("files", "minutes") else "left")
    for each in report.sets:
        rates, channels = _counted(each.sample_rates), _counted(each.channels)
        bad = f"{len(each.problems)} cannot be scored" if each.problems else ""
        some = f"{each.files} of {each.full}, " if each.full and each.files < each.full else ""
        state = f"{some}all readable" if each.complete else each.error or bad or "empty"
        table.add_row(
            each.name,
            each.category or "unknown",
            str(each.files),
            f"{each.duration_s / 60:.1f}",
            rates,
            channels,
            state,
        )
    console.print(table)
    others = [each.name for each in report.sets if not each.official]
    if others:
        console.print(f"not of the eleven official sets: {', '.join(others)}", soft_wrap=True)
    for each in report.sets:
        for problem in each.problems:
            console.print(f"  {problem.id}: {problem.kind}: {problem.detail}", soft_wrap=True)
        for clip, remark in each.remarks:
            console.print(f"  {clip}: note: {remark}", soft_wrap=True)
        if each.ignored:
            console.print(f"  {each.name}: not read: {listed(each.ignored)}", soft_wrap=True)
    if report.unread:
        console.print(f"not read: {listed(report.unread)}", soft_wrap=True)
    if report.missing_sets:
        console.print(f"official sets not here: {', '.join(report.missing_sets)}", soft_wrap=True)
    if report.task_folders is not None:
        for name, there in report.task_folders.items():
            console.print(f"{name}: {'there' if there else 'not here'}")


def _counted(values: Mapping[int, int]) -> str:
    """A value that all have by itself, several with how often each is there."""
    if len(values) == 1:
        return str(next(iter(values)))
    return "\n".join(f"{value}: {n}" for value, n in sorted(values.items()))
