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
    """The findings of packages and registries in a line for each state: a screen, not a scroll."""
    from sqbench.doctor import Finding

    groups: dict[tuple[str, bool, str], list[Finding]] = {}
    shown: list[Finding] = []
    for finding in _grouped(findings):
        if finding.section in _LISTS:
            state = finding.state.partition(" (")[0].partition(":")[0]
            state = state.partition(",")[0] if len(state) > _LONG else state
            groups.setdefault((finding.section, finding.ok, state), []).append(finding)
        else:
            shown.append(finding)
    for section in _LISTS:
        for (of, ok, state), group in groups.items():
            if of == section:
                cures = dict.fromkeys(each.cure for each in group if each.cure)
                shown.append(
                    Finding(
                        section=section,
                        name=state,
                        ok=ok,
                        state=", ".join(each.name for each in group),
                        cure="\n".join(cures),
                        needed=any(each.needed for each in group),
                    )
                )
    return shown


_LONG = 32

_LISTS = ("package", "codec", "metric", "evaluator")
"""Sections with many findings, of few sorts."""


def _grouped(findings: Sequence[Finding]) -> list[Finding]:
    """The findings with packages by extra and codecs by family."""
    from sqbench_codecs.catalogue import families

    family_of = {
        entry.name: (name, len(group)) for name, group in families().items() for entry in group
    }
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        name = finding.name
        if finding.section == "package":
            _, _, extra = name.partition(" (")
            name = extra.rstrip(")") or "what is required"
        elif finding.section == "codec" and name in family_of:
            family, count = family_of[name]
            name = f"{family} ({count})" if count > 1 else family
        groups.setdefault((finding.section, name), []).append(finding)
    return [_one(section, name, group) for (section, name), group in groups.items()]


def _one(section: str, name: str, group: Sequence[Finding]) -> Finding:
    from sqbench.doctor import Finding

    lacking = [each for each in group if not each.ok]
    state = lacking[0].state if lacking else group[0].state
    if section == "package":
        state = "not there" if lacking else "there"
        if lacking:
            name += f" ({', '.join(each.name.partition(' (')[0] for each in lacking)})"
    elif section == "codec" and lacking and len(lacking) < len(group):
        name = f"{name.partition(' (')[0]} ({len(lacking)} of {len(group)})"
    elif section in ("metric", "evaluator") and not lacking and "fetches" in state:
        state = "ready, fetches weights"
    return Finding(
        section=section,
        name=name,
        ok=not lacking,
        state=state,
        cure=next((each.cure for each in group if each.cure), ""),
        needed=any(each.needed for each in group),
    )


def _print(findings: Sequence[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    from sqbench.report.console import console

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", max_width=26)
    table.add_column(overflow="fold")
    previous = ""
    cures: dict[str, None] = {}
    for finding in findings:
        if finding.section != previous:
            table.add_row(Text(finding.section, style="bold"))
            previous = finding.section
        mark = "ok" if finding.ok else "NEEDED" if finding.needed else "-"
        table.add_row(Text(f" {mark}"), Text(finding.name), Text(finding.state))
        if finding.cure and not finding.ok:
            cures.update(dict.fromkeys(finding.cure.splitlines()))
    out = console()
    out.print(table)
    fetched = [cure.removeprefix(_FETCH).strip("'") for cure in cures if cure.startswith(_FETCH)]
    if cures:
        out.print("To enable more:", style="bold")
    for cure in cures:
        if not cure.startswith(_FETCH):
            out.print(f"  {cure}", soft_wrap=True)
    if fetched:
        out.print(f"  {_FETCH}'{fetched[0]}', or {', '.join(fetched[1:])}".removesuffix(", or "))


_FETCH = "sqbench fetch --codec "
