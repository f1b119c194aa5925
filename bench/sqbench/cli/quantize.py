"""``sqbench quantize``: quantizers and gradient estimators on simulated data."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench.cli.lists import Joined
from sqbench.cli.run import add_workers, names
from sqbench.cli.table import add_format
from sqbench.errors import InputError

if TYPE_CHECKING:
    from sqbench.quantization.cell import Cell
    from sqbench.quantization.experiment import QuantizationTrial
    from sqbench.quantization.run import QuantizationOutcome


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "quantize",
        help="compare quantizers and gradient estimators on simulated data",
        description="Train small networks around a quantizer on simulated data of known "
        "information content. Running the same command again trains only what is missing.",
    )
    parse.add_argument(
        "--matrix",
        default="default",
        metavar="NAME",
        help="default, extended, or a TOML file with tables [[cell]]",
    )
    parse.add_argument("--estimator", action=Joined, metavar="NAMES", help="only these, by comma")
    parse.add_argument("--quantizer", action=Joined, metavar="NAMES", help="only these, by comma")
    parse.add_argument(
        "--method", action="append", default=[], metavar="FILE.py:CLASS",
        help="also an estimator or quantizer of your own, beside the shipped ones; repeatable",
    )  # fmt: skip
    parse.add_argument("--bits", action=Joined, metavar="NUMBERS", help="only these bits a frame")
    parse.add_argument("--seeds", type=int, default=3, metavar="N", help="default: 3")
    parse.add_argument("--out", type=Path, default=Path("results"), help="default: results/")
    add_workers(parse)
    parse.add_argument("--force", action="store_true", help="train again what is there")
    parse.add_argument(
        "--check",
        action="store_true",
        help="hold the results against theory, this code's earlier values, and others' findings",
    )
    parse.add_argument(
        "--page", type=Path, metavar="FILE.html", help="write table, checks and plots as one page"
    )
    parse.add_argument("--plots", type=Path, metavar="DIR", help="draw plots into this folder")
    add_format(parse)
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Train and print; 0 all done, 2 something has no result or a check failed."""
    from sqbench.quantization import custom, matrix, tables
    from sqbench.quantization.checks import check, render
    from sqbench.quantization.run import run

    if options.plots is not None:
        from sqbench.quantization import plots
        from sqbench.report.drawing import prepare

        prepare(options.plots, "--plots")
    if options.page is not None:
        from sqbench.quantization import page
        from sqbench.report.drawing import prepare

        prepare(options.page.absolute().parent, "--page")
    methods = [custom.load(text) for text in options.method]
    cells = matrix.choose(
        matrix.load(options.matrix),
        estimators=names(options.estimator or ""),
        quantizers=names(options.quantizer or ""),
        bits=_numbers(options.bits or ""),
    )
    cells = matrix.with_methods(cells, methods)
    command = shlex.join(["sqbench", *sys.argv[1:]])
    with _Progress() as progress:
        outcome = run(
            cells,
            range(options.seeds),
            options.out,
            progress,
            workers=options.workers,
            force=options.force,
            command=command,
        )
        progress.finish(outcome, options.out)
    tty = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if tty else None
    sys.stdout.write(tables.render(cells, outcome.trials, options.format, width=width, color=tty))
    failed = bool(outcome.failed)
    verdicts = check(cells, outcome.trials) if options.check else []
    if options.check:
        # Beside a table for machines, the checks are for the person who watches.
        stream = sys.stdout if options.format == "rich" else sys.stderr
        stream.write(render(verdicts))
        failed |= any(verdict.fails for verdict in verdicts)
    if options.plots is not None:
        for path in plots.draw(cells, outcome.trials, options.plots):
            print(path, file=sys.stderr)
    if options.page is not None:
        page.write(options.page, cells, outcome.trials, verdicts, command)
        print(options.page, file=sys.stderr)
    return 2 if failed else 0


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in names(text)]
    except ValueError:
        raise InputError("--bits", expected="numbers such as 4,8", found=text) from None


class _Progress:
    """A `sqbench.quantization.run.QuantizationMonitor` that draws a bar on stderr."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.console = Console(stderr=True, highlight=False, markup=False)
        self._bar = Progress(
            TextColumn("{task.fields[done]} cells"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[last]}", markup=False),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._task = self._bar.add_task("cells", total=None, last="", done="")
        self._done = self._total = 0
        self._work = self._worked = 0.0
        self._started = time.monotonic()

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def start(self, todo: int, total: int, work: float) -> None:
        self._done, self._total, self._work = total - todo, total, work
        self._started = time.monotonic()
        kept = f" ({total - todo} of {total} are done already)" if todo < total else ""
        if not self.console.is_terminal or not todo:
            self.console.print(f"{todo} cells to train{kept}")
        self._bar.update(self._task, total=work, done=f"{self._done}/{total}")

    def trained(self, cell: Cell, trials: Sequence[QuantizationTrial]) -> None:
        from sqbench.quantization.tables import median

        snr = median(trials, "snr_db")
        text = f"{cell.label}: {'no finite result' if snr is None else f'{snr:.2f} dB'}"
        self._advance(cell, len(trials), text)
        if not self.console.is_terminal:
            self.console.print(f"{self._where()} {text}", soft_wrap=True)

    def failed(self, cell: Cell, reason: str) -> None:
        self._advance(cell, 0, "")
        self.console.print(f"no result: {cell.label}: {reason}", soft_wrap=True)

    def _advance(self, cell: Cell, seeds: int, text: str) -> None:
        from sqbench.quantization.run import cost

        self._done += 1
        self._worked += cost(cell) * seeds
        self._bar.update(
            self._task, completed=self._worked, last=text, done=f"{self._done}/{self._total}"
        )

    def _where(self) -> str:
        """``[12/54, 0:31 left]``, by the work that is done; work is not cells."""
        elapsed = time.monotonic() - self._started
        left = elapsed * max(self._work - self._worked, 0.0) / self._worked
        return f"[{self._done}/{self._total}, {timedelta(seconds=round(left))} left]"

    def finish(self, outcome: QuantizationOutcome, out: Path) -> None:
        """Say what was done."""
        self._bar.stop()
        cpu = sum(t.cpu_s for found in outcome.trials.values() for t in found)
        text = f"{outcome.computed} cells trained in {outcome.wall_s:.0f} s"
        if not outcome.kept and cpu:
            text += f" ({cpu:.0f} s of processor time)"
        if outcome.kept:
            text += f", {outcome.kept} were there already"
        if outcome.failed:
            text += f", {len(outcome.failed)} have no result"
        self.console.print(f"{text}. Results: {out}", soft_wrap=True)
