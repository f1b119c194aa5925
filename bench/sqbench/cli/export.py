"""``sqbench export``: results in the forms that Codec-SUPERB takes."""

from __future__ import annotations

import argparse
from typing import Any

from sqbench.cli.arguments import path
from sqbench.cli.table import add_choice, add_codecs, load


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser("export", help="write results in Codec-SUPERB's formats")
    parse.add_argument("results", type=path)
    parse.add_argument("--to", type=path, required=True, metavar="DIR", help="where to write")
    parse.add_argument(
        "--format",
        choices=("slt", "main"),
        default="slt",
        help="slt: the challenge's logs and row; main: branch main's JSON (default: slt)",
    )
    add_codecs(parse)
    parse.add_argument(
        "--failures",
        choices=("mean", "drop"),
        default="drop",
        help="of slt: drop leaves out what is incomplete, as the official scripts do",
    )
    add_choice(parse)
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Write, and say what and where."""
    from sqbench.report import export

    written = export.export(
        load([options.results]),
        options.to,
        options.format,
        codecs=options.codec,
        all_versions=options.all_versions,
        source=options.source,
        protocol=options.protocol,
        failures=options.failures,
    )
    for file in written.paths:
        print(file)
    for note in written.notes:
        print(note)
    return 0
