"""``sqbench agreement``: which metrics agree with listeners."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from sqbench.cli.lists import Joined
from sqbench.cli.run import add_protocol, add_workers, names
from sqbench.cli.table import add_format
from sqbench.errors import InputError


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "agreement",
        help="how well metrics agree with listeners' ratings",
        description="Score every rated stimulus once and compare metrics with mean ratings. What "
        "is scored is kept; the same command with another metric computes only that.",
    )
    parse.add_argument(
        "ratings",
        type=Path,
        metavar="RATINGS",
        help="CSV with signal, condition, estimate, reference, score; or webMUSHRA's mushra.csv, "
        "lms.csv or lss.csv",
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
    parse.add_argument("--out", type=Path, default=Path("results/agreement"), metavar="DIR")
    parse.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: 0)")
    parse.add_argument("--plot", type=Path, metavar="FILE", help="ratings over metrics, an image")
    add_protocol(parse)
    add_workers(parse)
    add_format(parse)
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Score, compare, print; 2 if scores failed or have no value."""
    from sqbench.agreement import ratings, report
    from sqbench.agreement.run import score
    from sqbench.report import render

    if options.margin <= 0:
        raise InputError("--margin", expected="above 0", found=f"{options.margin:g}")
    table = ratings.read(
        options.ratings, name=options.name, estimates=options.estimates,
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
