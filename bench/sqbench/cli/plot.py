"""``sqbench plot``: the report's curves as a figure for a paper."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from sqbench.cli.table import add_choice, add_codecs, load


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "plot",
        help="draw quality over bits or cost, for a paper",
        description="Draw metrics over bits or cost, one panel a metric, one line a family of "
        "codecs, in colours, markers and dashes that people of any colour vision tell apart.",
    )
    parse.add_argument("results", type=Path, nargs="*", help="folders (default: results)")
    parse.add_argument(
        "-o", "--out", type=Path, default=Path("plot.pdf"), metavar="FILE",
        help=".pdf (fonts embedded), .svg or .png (default: plot.pdf)",
    )  # fmt: skip
    parse.add_argument(
        "--x", choices=("measured_bps", "bitrate_bps", "macs_g", "params_m"),
        default="measured_bps", help="default: measured_bps",
    )  # fmt: skip
    parse.add_argument(
        "--y", default="pesq,stoi", metavar="METRICS",
        help="columns of `sqbench table --format csv`, with commas between (default: pesq,stoi)",
    )  # fmt: skip
    parse.add_argument("--paper", action="store_true", help="the paper's own rows too, hollow")
    parse.add_argument("--ci", action="store_true", help="95 %% bootstrap intervals")
    parse.add_argument(
        "--width", type=float, default=3.4, metavar="IN",
        help="of a panel in inches (default: 3.4, a column of two)",
    )  # fmt: skip
    parse.add_argument("--height", type=float, default=2.6, metavar="IN", help="default: 2.6")
    parse.add_argument("--dpi", type=int, default=300, help="of a .png (default: 300)")
    add_codecs(parse)
    add_choice(parse)
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Draw."""
    from sqbench.errors import InputError
    from sqbench.pages import data, figures

    for name in ("width", "height", "dpi"):
        if not 0 < getattr(options, name) < 1e4:
            raise InputError(f"--{name}", expected="above 0", found=str(getattr(options, name)))
    content = data.points(
        load(options.results or [Path("results")]),
        ci=options.ci,
        source=options.source,
        protocol=options.protocol,
        codecs=options.codec,
        all_versions=options.all_versions,
    )
    points = figures.draw(
        content,
        options.out,
        x=options.x,
        y=[name.strip() for name in options.y.split(",") if name.strip()],
        paper=options.paper,
        ci=options.ci,
        width=options.width,
        height=options.height,
        dpi=options.dpi,
    )
    print(f"{points} points: {options.out}", file=sys.stderr)
    return 0
