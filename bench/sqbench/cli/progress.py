"""Progress of a run on the terminal: bars with ETA, live means, failures with reasons."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
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

from sqbench.engine.plan import Outcome
from sqbench.store.record import Observation, Record

_REASONS_SHOWN = 50
_MANY = 500  # clips, from which on hashing them shows


@dataclass
class _Missing:
    """What has no score for one reason: metrics and utterances, in the order of appearance."""

    metrics: dict[str, None] = field(default_factory=dict)
    utterances: dict[str, None] = field(default_factory=dict)

    def line(self, codec: str, reason: str) -> str:
        first, *rest = self.utterances
        more = f" and {len(rest)} more" if rest else ""
        return f"{codec}: {first}{more}: {', '.join(self.metrics)}: {reason}"


class Progress:
    """A `sqbench.engine.monitor.Monitor` that draws on stderr.

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
        self._reasons: dict[tuple[str, str], _Missing] = defaultdict(_Missing)

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
                missing = self._reasons[codec, str(record["reason"])]
                missing.metrics[record["metric"]] = None
                missing.utterances[record["utterance"]] = None
        means = "  ".join(f"{name} {total / n:.2f}" for name, (total, n) in sorted(sums.items()))
        self._bars.update(self._tasks[codec], advance=1, means=means)

    def hashed(self, done: int, total: int) -> None:
        """A bar for what takes long only with many clips."""
        if total < _MANY:
            return
        if "hashing" not in self._tasks:
            self._tasks["hashing"] = self._bars.add_task("hashing", total=total, means="")
        self._bars.update(self._tasks["hashing"], completed=done)

    def predicted(self, evaluator: str, observations: Sequence[Observation]) -> None:
        for one in observations:
            if one["status"] != "ok":
                missing = self._reasons[one["codec"], str(one["reason"])]
                missing.metrics[one["task"]] = None
                missing.utterances[one["utterance"]] = None
        self._bars.update(self._tasks[evaluator], advance=len(observations))

    def missing(self, where: str = "in the records") -> None:
        """End the bars, and say what has no score, and why; ``where`` all reasons are."""
        self._bars.stop()
        lines = [missing.line(*key) for key, missing in self._reasons.items()]
        for line in lines[:_REASONS_SHOWN]:
            self.note(f"  no score: {line}")
        if len(lines) > _REASONS_SHOWN:
            self.note(f"  and {len(lines) - _REASONS_SHOWN} more reasons, {where}")

    def finish(self, outcome: Outcome, out: Path) -> None:
        """Say what was done and what is missing, and why."""
        self.missing()
        text = f"{outcome.computed} scores computed, {outcome.kept} were there already"
        if outcome.failed:
            text += f", {outcome.failed} missing"
        if outcome.predicted or outcome.predicted_kept:
            text += (
                f"; {outcome.predicted} predictions made, {outcome.predicted_kept} there already"
            )
            if outcome.unpredicted:
                text += f", {outcome.unpredicted} failed"
        for remark in outcome.remarks:
            self.note(remark)
        self.note(f"{text}. Next: sqbench table {out}")
        sys.stderr.flush()
