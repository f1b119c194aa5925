"""``sqbench table``: results as the paper's table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench.cli.arguments import path
from sqbench.errors import InputError

if TYPE_CHECKING:
    from sqbench.store.reader import Store

FORMATS = ("rich", "markdown", "latex", "csv", "json")


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser("table", help="print results as a table")
    parse.add_argument("results", type=path, nargs="*", help="folders (default: results)")
    add_format(parse)
    parse.add_argument(
        "--ablation", type=path, metavar="DIR",
        help="rows of `python -m sqcodec.train.ablation --out DIR`, as the paper's Table 3",
    )  # fmt: skip
    parse.add_argument("--sort", metavar="COLUMN", help="column of the CSV (default: bitrate)")
    parse.add_argument("--paper", action="store_true", help="set the paper's own rows beside ours")
    parse.add_argument("--ci", action="store_true", help="95 %% bootstrap intervals")
    parse.add_argument(
        "--failures",
        choices=("mean", "drop"),
        default="mean",
        help="mean: of what is scored, marked; drop: as the official scripts, the whole set goes",
    )
    parse.add_argument("--suite", help="signal, perceptual or application: only its columns")
    parse.add_argument(
        "--bold", choices=("rate", "all"), default="rate",
        help="best in bold within a class of like bitrates (the default), or of all rows",
    )  # fmt: skip
    parse.add_argument(
        "--columns", metavar="A,B", help="only these columns of the CSV, in this order"
    )
    parse.add_argument(
        "--digits", metavar="N",
        help="decimals of all scores, or of some (sdr=1,pesq=2); CSV and JSON keep all",
    )  # fmt: skip
    parse.add_argument(
        "--rename", action="append", default=[], metavar="LABEL=NAME",
        help="call a row so; repeat for more",
    )  # fmt: skip
    parse.add_argument("--caption", default="", help="of --format latex, in LaTeX's own syntax")
    parse.add_argument("--label", default="", help="of --format latex: what \\ref names")
    add_codecs(parse)
    add_choice(parse)
    parse.set_defaults(handler=handle)


def add_format(parse: argparse.ArgumentParser) -> None:
    """The option that names the output's form."""
    parse.add_argument("--format", choices=FORMATS, default="rich")


def add_codecs(parse: argparse.ArgumentParser) -> None:
    """The option that names codecs among results."""
    parse.add_argument(
        "--codec", action="append", default=[], metavar="NAME",
        help="only this codec: a name, name@id, or a pattern as dac-24k-*; repeat for more",
    )  # fmt: skip


def add_choice(parse: argparse.ArgumentParser) -> None:
    """The options that choose among results."""
    parse.add_argument("--source", help="only results on this data: its name, or where it is")
    parse.add_argument("--protocol", help="only results under this protocol")
    parse.add_argument(
        "--all-versions",
        action="store_true",
        help="also those versions of a codec that a newer one stands for",
    )


def load(paths: Sequence[Path]) -> Store:
    """The results in these folders.

    Raises:
        InputError: there are none.
    """
    from sqbench.store import reader as store

    found = store.load(paths)
    if not found.runs:
        raise InputError(
            ", ".join(map(str, paths)),
            expected="results",
            found="none",
            remedy="Run `sqbench run --codec NAME --out DIR` first.",
        )
    return found


def handle(options: argparse.Namespace) -> int:
    """Print."""
    from sqbench.report import render, table
    from sqbench.report.shape import digits_of, names_of, shaped

    if options.ablation is not None:
        return _ablation(options)
    built = table.build(
        load(options.results or [Path("results")]),
        failures=options.failures,
        ci=options.ci,
        sort=options.sort,
        paper=options.paper,
        source=options.source,
        protocol=options.protocol,
        suite=options.suite,
        codecs=options.codec,
        all_versions=options.all_versions,
        bold=options.bold,
    )
    built = shaped(
        built,
        columns=[key.strip() for key in (options.columns or "").split(",") if key.strip()],
        digits=digits_of(options.digits) if options.digits is not None else None,
        names=names_of(options.rename),
    )
    render.show(built, options.format, caption=options.caption, label=options.label)
    sys.stdout.flush()
    return 0


def _ablation(options: argparse.Namespace) -> int:
    from sqbench.ablation import report as ablation
    from sqbench.report import render

    for given, what in (
        (options.results, "results"), (options.sort, "--sort"), (options.ci, "--ci"),
        (options.suite, "--suite"),
        (options.codec, "--codec"), (options.columns, "--columns"), (options.digits, "--digits"),
        (options.rename, "--rename"),
    ):  # fmt: skip
        if given:
            raise InputError(f"{what} beside --ablation", expected="one or the other")
    built = ablation.build(
        options.ablation,
        failures=options.failures,
        published=options.paper,
        source=options.source,
        protocol=options.protocol,
    )
    render.show(built, options.format, caption=options.caption, label=options.label)
    sys.stdout.flush()
    return 0
