"""``sqbench compare A B``: paired differences of two codecs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sqbench.cli.arguments import path
from sqbench.cli.table import add_choice, add_format, load


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser("compare", help="paired differences of two codecs")
    parse.add_argument("a", help="a codec of the table")
    parse.add_argument("b", help="another")
    parse.add_argument("--results", type=path, default=Path("results"))
    add_format(parse)
    add_choice(parse)
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Print."""
    from sqbench.report import compare, render

    built = compare.build(
        load([options.results]),
        options.a,
        options.b,
        source=options.source,
        protocol=options.protocol,
        all_versions=options.all_versions,
    )
    render.show(built, options.format)
    return 0
