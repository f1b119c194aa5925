"""Progress of a run on the terminal: bars with ETA, live means, failures with reasons."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from sqbench.results.record import Record
from sqbench.runner.execute import Outcome

_REASONS_SHOWN = 12


class Progress:
    """A `sqbench.runner.execute.Monitor` that draws on stderr.

    Off a terminal it prints a line per codec instead of bars.
    """

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self._bars = Bars(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[means]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._sums: dict[str, dict[str, tuple[float, int]]] = defaultdict(dict)
        self._reasons: dict[str, Counter[str]] = defaultdict(Counter)
        self._examples: dict[tuple[str, str], str] = {}

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def note(self, text: str) -> None:
        self.console.print(escape(text), soft_wrap=True)

    def start(self, codec: str, todo: int, total: int) -> None:
        kept = f" ({total - todo} of {total} utterances are done already)" if todo < total else ""
        if todo == 0 or not self.console.is_terminal:
            self.note(f"{codec}: {todo} utterances to do{kept}")
        if todo:
            self._tasks[codec] = self._bars.add_task(codec, total=todo, means="")

    def scored(self, codec: str, records: Sequence[Record]) -> None:
        sums = self._sums[codec]
        for record in records:
            if record["value"] is not None and record["metric"]:
                name = f"{'' if record['category'] == 'speech' else 'audio '}{record['metric']}"
                total, n = sums.get(name, (0.0, 0))
                sums[name] = (total + record["value"], n + 1)
            elif record["status"] in ("failed", "undefined") and record["metric"]:
                reason = f"{record['metric']}: {record['reason']}"
                self._reasons[codec][reason] += 1
                self._examples.setdefault((codec, reason), record["utterance"])
        means = "  ".join(f"{name} {total / n:.2f}" for name, (total, n) in sorted(sums.items()))
        self._bars.update(self._tasks[codec], advance=1, means=means)

    def finish(self, outcome: Outcome, out: Path) -> None:
        """Say what was done and what is missing, and why."""
        self._bars.stop()
        for codec, reasons in self._reasons.items():
            for reason, n in reasons.most_common(_REASONS_SHOWN):
                where = self._examples[codec, reason]
                more = f" and {n - 1} more" if n > 1 else ""
                self.note(f"  no score: {codec}: {where}{more}: {reason}")
            if len(reasons) > _REASONS_SHOWN:
                self.note(f"  ... and {len(reasons) - _REASONS_SHOWN} other reasons, in the records")
        text = f"{outcome.computed} scores computed, {outcome.kept} were there already"
        if outcome.failed:
            text += f", {outcome.failed} missing"
        self.note(f"{text}. Next: sqbench table {out}")
        sys.stderr.flush()
