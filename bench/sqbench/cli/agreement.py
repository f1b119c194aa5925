"""``sqbench agreement``: which metrics agree with listeners."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from sqbench.cli.arguments import path
from sqbench.cli.lists import Joined
from sqbench.cli.run import add_protocol, add_workers, names
from sqbench.cli.table import add_format
from sqbench.errors import InputError


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "agreement",
        help="how well metrics agree with listeners' ratings; what a blind test found",
        description="Of a CSV table: score every rated stimulus once and compare metrics with mean "
        "ratings. What is scored is kept; the same command with another metric computes only that. "
        "Of JSON files from the pages of `sqbench listen --blind`: whether differences were heard "
        "(abx), mean ratings with intervals (mushra).",
    )
    parse.add_argument(
        "ratings",
        type=path,
        nargs="+",
        metavar="RATINGS",
        help="CSV with signal, condition, estimate, reference, score; or webMUSHRA's mushra.csv, "
        "lms.csv or lss.csv; or .json files of listeners of a blind test",
    )
    blind = parse.add_argument_group("of a blind test")
    blind.add_argument("--key", type=path, metavar="FILE", help="the key/key.json of the test")
    blind.add_argument(
        "--keep-all", action="store_true", help="mushra: leave no listener out by post-screening"
    )
    blind.add_argument(
        "--to",
        type=path,
        metavar="FILE.csv",
        help="mushra: write the ratings as a table for this command, to compare metrics with them",
    )
    parse.add_argument(
        "--metrics",
        action=Joined,
        help="comma-separated (default: all that can run here and have a better end)",
    )
    parse.add_argument(
        "--estimates", metavar="PATTERN", help="for webMUSHRA: 'audio/{trial}/{stimulus}.wav'"
    )
    parse.add_argument(
        "--references", metavar="PATTERN", help="for webMUSHRA: 'audio/{trial}/reference.wav'"
    )
    parse.add_argument(
        "--group",
        action="append",
        default=[],
        metavar="NAME=CONDITION,...",
        help="a part to show as well; repeat for more. Columns rate, domain and group split too",
    )
    parse.add_argument(
        "--margin", type=float, default=10.0, help="of pairs, in points (default: 10)"
    )
    parse.add_argument("--name", help="of the set (default: the table's folder)")
    parse.add_argument("--out", type=path, default=Path("results/agreement"), metavar="DIR")
    parse.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: 0)")
    parse.add_argument("--plot", type=path, metavar="FILE", help="ratings over metrics, an image")
    add_protocol(parse)
    add_workers(parse)
    add_format(parse)
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Score, compare, print; 2 if scores failed or have no value."""
    blind = [path for path in options.ratings if path.suffix.lower() == ".json"]
    if blind:
        return _blind(options, blind)
    for name in ("key", "keep_all", "to"):
        if getattr(options, name):
            option = f"--{name.replace('_', '-')}"
            raise InputError(option, expected=".json files of a blind test", found="a table")
    if len(options.ratings) > 1:
        raise InputError("RATINGS", expected="one table", found=f"{len(options.ratings)} files")
    (path,) = options.ratings
    from sqbench.agreement import ratings, report
    from sqbench.agreement.run import score
    from sqbench.report import render

    if options.margin <= 0:
        raise InputError("--margin", expected="above 0", found=f"{options.margin:g}")
    table = ratings.read(
        path, name=options.name, estimates=options.estimates,
        references=options.references,
    )  # fmt: skip
    groups = dict(map(_group, options.group))
    wanted = _default() if options.metrics is None else names(options.metrics)
    with _Progress() as progress:
        scores = score(
            table,
            wanted,
            options.out,
            progress,
            workers=options.workers,
            protocol=options.protocol,
            command=shlex.join(["sqbench", *sys.argv[1:]]),
        )
    found = report.build(table, scores, groups=groups, margin=options.margin, seed=options.seed)
    if options.plot is not None:
        from sqbench.agreement.plot import draw

        draw(found, scores, options.plot)
    render.show(found, options.format)
    sys.stdout.flush()
    return 2 if scores.missing else 0


def _blind(options: argparse.Namespace, paths: list[Path]) -> int:
    """Print what the listeners of a blind test found."""
    from sqbench.listening.blind import key as keys
    from sqbench.listening.blind import report
    from sqbench.listening.blind.results import read_all
    from sqbench.report import render

    others = [path for path in options.ratings if path not in paths]
    if others:
        raise InputError(str(others[0]), expected="tables or .json files alone", found="both")
    for name in ("metrics", "estimates", "references", "group", "name", "plot"):
        if getattr(options, name):
            raise InputError(
                f"--{name}", expected="a table of ratings", found="results of a blind test",
                remedy="Write the table by --to, and name that.",
            )  # fmt: skip
    if options.key is None:
        raise InputError(
            "--key", expected=f"the {keys.NAME} of the test", found="none",
            remedy="`sqbench listen --blind` wrote it into key/ beside the page.",
        )  # fmt: skip
    key = keys.read(options.key)
    sessions = read_all(paths, key)
    if key.method == "abx":
        for name in ("keep_all", "to"):
            if getattr(options, name):
                option = f"--{name.replace('_', '-')}"
                raise InputError(option, expected="ratings of a mushra test", found="an abx test")
        render.show(report.build_abx(key, sessions), options.format)
        return 0
    found, listeners = report.build_mushra(
        key, sessions, keep_all=options.keep_all, seed=options.seed
    )
    render.show(found, options.format)
    if options.to is not None:
        sys.stdout.flush()
        lines = report.write_ratings(options.to, key, sessions, listeners)
        print(f"{options.to}: {lines} ratings of codecs", file=sys.stderr)
    return 0


def _default() -> list[str]:
    """Every metric that runs here without a download and has a better end."""
    from sqbench.metrics.catalogue import METRICS

    slow = ("sdr-mir_eval",)
    return [
        entry.name
        for entry in METRICS
        if entry.name not in slow
        and entry.readiness() == "ready"
        and entry.load().direction != "none"
    ]


def _group(text: str) -> tuple[str, list[str]]:
    name, equals, conditions = text.partition("=")
    if not (name and equals and names(conditions)):
        raise InputError("--group", expected="NAME=CONDITION,CONDITION", found=repr(text))
    return name, names(conditions)


class _Progress:
    """A bar on stderr."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn(),
            console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._bars.add_task("stimuli", total=0)

    def __enter__(self) -> _Progress:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def start(self, todo: int, total: int) -> None:
        self._bars.update(self._task, total=todo)

    def scored(self) -> None:
        self._bars.advance(self._task)
