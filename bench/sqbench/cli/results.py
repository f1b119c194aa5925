"""``sqbench results``: what a results folder holds, dropping some of it, merging folders."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqbench.cli.arguments import path
from sqbench.errors import InputError


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser("results", help="list, drop and merge results")
    actions = parse.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="every version of every codec that is there")
    listing.add_argument("results", type=path, nargs="*", help="folders (default: results)")
    listing.add_argument("--format", choices=("table", "json"), default="table")
    listing.set_defaults(handler=handle_list)
    drop = actions.add_parser("drop", help="delete records, and audio saved with them")
    drop.add_argument("results", type=path, help="a results folder")
    drop.add_argument(
        "--codec", action="append", default=[], metavar="NAME",
        help="a name, name@id, id or pattern; repeat for more",
    )  # fmt: skip
    drop.add_argument(
        "--older", action="store_true", help="only versions that a newer one stands for"
    )
    drop.set_defaults(handler=handle_drop)
    merge = actions.add_parser(
        "merge",
        help="copy folders of several machines into one; equal audio gets one name",
    )
    merge.add_argument("results", type=path, nargs="+", help="results folders")
    merge.add_argument("--to", type=path, required=True, metavar="DIR")
    merge.set_defaults(handler=handle_merge)


def handle_list(options: argparse.Namespace) -> int:
    """Print."""
    from sqbench.cli.table import load
    from sqbench.report import render
    from sqbench.report.grid import Grid, GridCell, Head
    from sqbench.store.manage import versions

    found = versions(load(options.results or [Path("results")]))
    if options.format == "json":
        print(json.dumps([asdict(version) for version in found], indent=1, ensure_ascii=False))
        return 0
    rows = [
        [
            GridCell(
                text=version.codec,
                detail="" if version.weights == "none" else f"[{version.weights}]",
            ),
            GridCell(text=version.codec_id),
            GridCell(text=version.source),
            GridCell(text=str(version.records)),
            GridCell(text=str(version.failed)),
            GridCell(text=version.last[:16].replace("T", " ")),
            GridCell(text="" if version.newest else "older"),
        ]
        for version in found
    ]
    heads = [
        Head(title="Codec", number=False),
        Head(title="Id", number=False),
        Head(title="Source", number=False),
        Head(title="Records"),
        Head(title="Failed"),
        Head(title="Last run (UTC)", number=False),
        Head(title="", number=False),
    ]
    render.show_grid(Grid(title="", heads=heads, groups=[rows], notes=[]))
    return 0


def handle_drop(options: argparse.Namespace) -> int:
    """Delete, and say what."""
    from sqbench.store.manage import drop

    if not options.codec and not options.older:
        raise InputError("results drop", expected="--codec NAME or --older", found="neither")
    for name, count in drop(options.results, options.codec, older=options.older).items():
        print(f"{name}: {count} records deleted", file=sys.stderr)
    return 0


def handle_merge(options: argparse.Namespace) -> int:
    """Copy, and say what."""
    from sqbench.store.manage import merge

    done = merge(options.results, options.to)
    text = f"{done['runs']} runs with {done['records']} records copied to {options.to}"
    if done["joined"]:
        text = f"{done['joined']} shards joined; {text}"
    if done["renamed"]:
        text += f"; {done['renamed']} clips were known under other names"
    print(f"{text}. Next: sqbench table {options.to}", file=sys.stderr)
    return 0
