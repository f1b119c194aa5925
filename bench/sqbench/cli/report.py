"""``sqbench report``: results as a page to look at, or a folder of pages."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from sqbench.cli.table import add_choice, add_codecs, load


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "report",
        help="write results as a page: curves, tables, comparisons, worst clips",
        description="Write one HTML file that opens from the disk and needs no network: quality "
        "over bits and operations, a table in rate bands, Bjontegaard deltas, paired differences, "
        "distributions, the worst clips with their audio, correlations, cost, provenance.",
    )
    parse.add_argument("results", type=Path, nargs="*", help="folders (default: results)")
    parse.add_argument(
        "-o", "--out", type=Path, default=None, metavar="FILE", help="default: report.html"
    )
    parse.add_argument(
        "--site", type=Path, metavar="DIR",
        help="instead a folder for static hosting: an index and a page a codec",
    )  # fmt: skip
    parse.add_argument("--title", help="of the page (default: the data's name)")
    parse.add_argument(
        "--embed-audio", action="store_true",
        help="put the worst clips' audio (of runs with --save-audio) inside the page; else the "
        "page links to it, and must stay where it is",
    )  # fmt: skip
    parse.add_argument(
        "--cost", type=Path, metavar="FILE",
        help="measured seconds, memory and look-ahead: what `sqbench complexity --speed --format "
        "json` prints",
    )  # fmt: skip
    parse.add_argument(
        "--bd", choices=("pchip", "akima"), default="pchip",
        help="how Bjontegaard's curves are interpolated (default: pchip)",
    )  # fmt: skip
    add_codecs(parse)
    add_choice(parse)
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Write."""
    from sqbench.atomic import write_text
    from sqbench.errors import InputError
    from sqbench.pages import data, site
    from sqbench.pages.cost import measured
    from sqbench.pages.render import render
    from sqbench.pages.section import PageSettings

    if options.site is not None and options.out is not None:
        raise InputError("--site beside --out", expected="one or the other")
    settings = PageSettings(method=options.bd, told=measured(options.cost))
    folders = options.results or [Path("results")]
    store = load(folders)
    content = data.build(
        store,
        folders,
        title=options.title or "Codecs",
        command=shlex.join(["sqbench", *sys.argv[1:]]),
        source=options.source,
        protocol=options.protocol,
        codecs=options.codec,
        all_versions=options.all_versions,
        settings=settings,
    )
    if options.title is None:
        sources = dict.fromkeys(section["source"] for section in content["sections"])
        content["title"] = f"Codecs on {', '.join(sources)}"
    if options.site is not None:
        pages = site.write(content, store, folders, options.site, embed=options.embed_audio)
        print(f"{len(pages)} pages: open {pages[0]}", file=sys.stderr)
        return 0
    out = options.out or Path("report.html")
    sounds = data.add_audio(content, store, folders, out, embed=options.embed_audio)
    page = render(content)
    write_text(out, page)
    heard = f", {sounds} clips to hear" if sounds else ""
    print(f"{len(page.encode()) / 1e6:.1f} MB{heard}: open {out}", file=sys.stderr)
    return 0
