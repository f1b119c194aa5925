"""``sqbench quantize``: quantizers and gradient estimators on simulated data."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench.cli.run import add_workers, names
from sqbench.cli.table import add_format
from sqbench.errors import InputError

if TYPE_CHECKING:
    from sqbench.quantization.cell import Cell
    from sqbench.quantization.experiment import Trial
    from sqbench.quantization.run import Outcome


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
    parse.add_argument("--estimator", metavar="NAMES", help="only these, comma-separated")
    parse.add_argument("--quantizer", metavar="NAMES", help="only these, comma-separated")
    parse.add_argument("--bits", metavar="NUMBERS", help="only these bits a frame")
    parse.add_argument("--seeds", type=int, default=3, metavar="N", help="default: 3")
    parse.add_argument("--out", type=Path, default=Path("results"), help="default: results/")
    add_workers(parse)
    parse.add_argument("--force", action="store_true", help="train again what is there")
    parse.add_argument(
        "--check", action="store_true", help="hold the results against what is known of them"
    )
    parse.add_argument("--plots", type=Path, metavar="DIR", help="draw plots into this folder")
    add_format(parse)
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Train and print; 0 all done, 2 something has no result or a check failed."""
    from sqbench.quantization import matrix, tables
    from sqbench.quantization.checks import check, render
    from sqbench.quantization.run import run

    if options.plots is not None:
        from sqbench.quantization import plots
        from sqbench.report.drawing import prepare

        prepare(options.plots, "--plots")
    cells = matrix.choose(
        matrix.load(options.matrix),
        estimators=names(options.estimator or ""),
        quantizers=names(options.quantizer or ""),
        bits=_numbers(options.bits or ""),
    )
    with _Progress() as progress:
        outcome = run(
            cells,
            range(options.seeds),
            options.out,
            progress,
            workers=options.workers,
            force=options.force,
            command=shlex.join(["sqbench", *sys.argv[1:]]),
        )
        progress.finish(outcome, options.out)
    sys.stdout.write(tables.render(cells, outcome.trials, options.format))
    failed = bool(outcome.failed)
    if options.check:
        verdicts = check(cells, outcome.trials)
        # Beside a table for machines, the checks are for the person who watches.
        stream = sys.stdout if options.format == "rich" else sys.stderr
        stream.write(render(verdicts))
        failed |= any(verdict.passed is False for verdict in verdicts)
    if options.plots is not None:
        for path in plots.draw(cells, outcome.trials, options.plots):
            print(path, file=sys.stderr)
    return 2 if failed else 0


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in names(text)]
    except ValueError:
        raise InputError("--bits", expected="numbers such as 4,8", found=text) from None


class _Progress:
    """A `sqbench.quantization.run.Monitor` that draws a bar on stderr."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.console = Console(stderr=True, highlight=False, markup=False)
        self._bar = Progress(
            TextColumn("cells"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[last]}", markup=False),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._task = self._bar.add_task("cells", total=None, last="")

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def start(self, todo: int, total: int) -> None:
        kept = f" ({total - todo} of {total} are done already)" if todo < total else ""
        if not self.console.is_terminal or not todo:
            self.console.print(f"{todo} cells to train{kept}")
        self._bar.update(self._task, total=total, completed=total - todo)

    def trained(self, cell: Cell, trials: Sequence[Trial]) -> None:
        from sqbench.quantization.tables import median

        snr = median(trials, "snr_db")
        text = f"{cell.label}: {'no finite result' if snr is None else f'{snr:.2f} dB'}"
        if not self.console.is_terminal:
            self.console.print(text, soft_wrap=True)
        self._bar.update(self._task, advance=1, last=text)

    def failed(self, cell: Cell, reason: str) -> None:
        self.console.print(f"no result: {cell.label}: {reason}", soft_wrap=True)
        self._bar.update(self._task, advance=1)

    def finish(self, outcome: Outcome, out: Path) -> None:
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
