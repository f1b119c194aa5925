"""``sqbench tokens``: codecs as tokenizers."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench.cli.arguments import path
from sqbench.cli.run import add_codec, add_data, add_device, add_weights

if TYPE_CHECKING:
    from sqbench.engine.jobs import Selection


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "tokens",
        help="codebook usage, entropy, and how stable codes are",
        description="Encode data, encode it again decoded and shifted, and keep the codes; what is "
        "there is not computed again. Then print the statistics of all that is there. Without "
        "--codec, print only.",
    )
    add_codec(parse)
    add_data(parse)
    parse.add_argument("--out", type=path, default=Path("results"), help="default: results/")
    add_weights(parse)
    add_device(parse)
    parse.add_argument("--limit", type=int, metavar="N", help="at most N clips of each set")
    parse.add_argument(
        "--to", type=path, metavar="DIR", help="also write the codes as arrays, with an index.csv"
    )
    parse.add_argument(
        "--robustness", action="store_true",
        help="instead: how many codes change under noise, gain, a band limit, resampling, "
        "generations of coding, and by batch, chunks, bfloat16 and device; nothing is kept",
    )  # fmt: skip
    parse.add_argument("--format", choices=("table", "csv", "json"), default="table")
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Encode what is missing, print; 2 if clips failed or a codec did not load."""
    from sqbench.data.resolve import open_source
    from sqbench.errors import InputError
    from sqbench.report import render
    from sqbench.tokens import report
    from sqbench.tokens.export import export
    from sqbench.tokens.records import load

    if options.robustness:
        return _robustness(options)
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
    if options.to is not None:
        source = open_source(options.data, domain=options.domain)
        texts = {clip.id: clip.labels.get("text", "") for clip in source.utterances()}
        count = export(store.records.values(), options.to, texts)
        print(f"codes of {count} clips: {options.to}", file=sys.stderr)
    if options.format == "table":
        render.show_grid(report.to_grid(found))
    else:
        print(report.to_csv(found) if options.format == "csv" else report.to_json(found), end="")
    return 2 if failed else 0


def _selected(options: argparse.Namespace) -> tuple[list[str], Selection]:
    """The codecs and the clips that are asked for, checked before anything is loaded."""
    from sqbench.cli.run import check_device, chosen
    from sqbench.data.resolve import open_source
    from sqbench.engine.jobs import select
    from sqbench.engine.systems.opening import check_names
    from sqbench.errors import InputError

    codecs = chosen(options.codec)
    check_names(codecs, options.weights)
    check_device(options.device)
    if options.limit is not None and options.limit < 1:
        raise InputError("limit", expected="at least 1", found=str(options.limit))
    return codecs, select(open_source(options.data, domain=options.domain), (), options.limit)


def _encode(options: argparse.Namespace) -> int:
    """The number of clips that failed, and of codecs that did not load."""
    from sqbench.engine.options import Options
    from sqbench.engine.systems.opening import open_system
    from sqbench.errors import InputError
    from sqbench.report.progress import Display
    from sqbench.tokens.run import tokenize

    codecs, selection = _selected(options)
    settings = Options(weights=options.weights, device=options.device)
    failed = 0
    with Display() as display:
        for name in codecs:
            try:
                with closing(open_system(name, settings)) as codec:
                    display.add(name, len(selection.items))
                    made = 0
                    for record in tokenize(codec, selection, options.out):
                        made += 1
                        failed += record.reason is not None
                        display.advance(name, failed=record.reason is not None)
                    if kept := len(selection.items) - made:  # there already
                        display.advance(name, kept)
            except InputError as error:
                failed += 1
                display.say(f"{name}: {error}")
    return failed


def _robustness(options: argparse.Namespace) -> int:
    """Probe and print; 2 if clips failed or a codec did not load."""
    from sqbench.errors import InputError
    from sqbench.report import render
    from sqbench.report.progress import Display
    from sqbench.tokens import robustness_report as report
    from sqbench.tokens.robustness import Probed, opened, probe

    codecs, selection = _selected(options)
    probed, failed = [], 0
    with Display() as display:
        for name in codecs:
            try:
                codec, encoders, untried = opened(name, options.weights, options.device)
                with closing(codec):
                    display.add(name, len(selection.items))
                    clips = []
                    for clip in probe(codec, selection, encoders):
                        clips.append(clip)
                        failed += clip.reason is not None
                        display.advance(name, failed=clip.reason is not None)
                    probed.append(
                        Probed(
                            model=codec.name,
                            source=selection.source.name,
                            clips=tuple(clips),
                            untried=untried,
                        )
                    )
            except InputError as error:
                failed += 1
                display.say(f"{name}: {error}")
    found = report.findings(probed)
    if options.format == "table":
        render.show_grid(report.to_grid(found, probed))
    else:
        print(report.to_csv(found) if options.format == "csv" else report.to_json(found), end="")
    return 2 if failed else 0
