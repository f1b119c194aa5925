"""``sqbench tokens``: codecs as tokenizers."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from sqbench.cli.run import add_data


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "tokens",
        help="codebook usage, entropy, and how stable codes are",
        description="Encode data, encode it again decoded and shifted, and keep the codes; what is "
        "there is not computed again. Then print the statistics of all that is there.",
    )
    parse.add_argument(
        "--codec", action="append", default=[], metavar="NAME", help="none: print only"
    )
    add_data(parse)
    parse.add_argument("--out", type=Path, default=Path("results"), help="default: results/")
    parse.add_argument(
        "--weights", default="auto", help="auto, official, bundled, or a path (default: auto)"
    )
    parse.add_argument("--device", default="cpu", help="of the codec (default: cpu)")
    parse.add_argument("--limit", type=int, metavar="N", help="at most N utterances of each set")
    parse.add_argument("--format", choices=("table", "csv", "json"), default="table")
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Encode what is missing, print; 2 if clips failed or a codec did not load."""
    from sqbench.errors import InputError
    from sqbench.tokens import report
    from sqbench.tokens.records import load

    failed = _encode(options) if options.codec else 0
    store = load(options.out)
    found = report.rows(store)
    if not found:
        raise InputError(
            str(options.out),
            expected="token statistics",
            found="none",
            remedy="Name codecs with --codec.",
        )
    for problem in store.problems:
        print(f"warning: {problem}", file=sys.stderr)
    if options.format == "table":
        _show(report.to_grid(found))
    else:
        print(report.to_csv(found) if options.format == "csv" else report.to_json(found), end="")
    return 2 if failed else 0


def _encode(options: argparse.Namespace) -> int:
    """The number of clips that failed, and of codecs that did not load."""
    from rich.console import Console
    from rich.progress import track

    from sqbench.data.resolve import open_source
    from sqbench.engine.jobs import select
    from sqbench.engine.options import Options
    from sqbench.engine.systems.opening import check_names, open_system
    from sqbench.errors import InputError
    from sqbench.tokens.run import tokenize

    check_names(options.codec, options.weights)
    if options.limit is not None and options.limit < 1:
        raise InputError("limit", expected="at least 1", found=str(options.limit))
    selection = select(open_source(options.data, domain=options.domain), (), options.limit)
    console = Console(stderr=True)
    settings = Options(weights=options.weights, device=options.device)
    failed = 0
    for name in options.codec:
        try:
            with closing(open_system(name, settings)) as codec:
                records = tokenize(codec, selection, options.out)
                for record in track(
                    records, name, len(selection.items), console=console, transient=True,
                    disable=not console.is_terminal,
                ):  # fmt: skip
                    failed += record.reason is not None
        except InputError as error:
            failed += 1
            print(f"{name}: {error}", file=sys.stderr)
    return failed


def _show(grid: Any) -> None:
    from rich.console import Console
    from rich.text import Text

    from sqbench.report.grid import to_rich

    console = Console(width=None if sys.stdout.isatty() else 180, highlight=False)
    console.print(to_rich(grid), Text())
    for note in grid.notes:
        console.print(Text(note, style="dim"))
