"""``sqbench fetch``: official weights into the cache, for machines without a network."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import Any

from sqbench.cli.run import add_codec, add_progress


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "fetch",
        help="fetch official weights into the cache",
        description="Load each codec with its official weights, which fetches and checks them. "
        "Machines that share the cache (HF_HOME) then run without a network: HF_HUB_OFFLINE=1.",
    )
    add_codec(parse)
    parse.add_argument(
        "--revision", metavar="REV", help="a branch, tag or commit instead of the default"
    )
    add_progress(parse)
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Fetch; 2 if some could not be."""
    from sqbench.cli.run import chosen
    from sqbench.engine.options import Options
    from sqbench.engine.systems.names import split_weights
    from sqbench.engine.systems.opening import check_names, open_system
    from sqbench.errors import InputError
    from sqbench.report.progress import Display

    weights = f"official@{options.revision}" if options.revision else "official"
    codecs = chosen(options.codec)
    check_names(codecs, weights)
    failed = 0
    with Display("none" if options.quiet else options.progress) as display:
        display.add("fetching", len(codecs))
        for codec in codecs:
            name, own = split_weights(codec)
            try:
                with closing(open_system(name, Options(weights=own or weights))) as system:
                    found = system.description["weights"]
                    if not options.quiet:
                        display.say(f"{name}: {system.weights_label} ({found['detail']})")
                    display.advance("fetching")
            except InputError as error:
                failed += 1
                display.say(f"{name}: {error}")
                display.advance("fetching", failed=1)
    return 2 if failed else 0
