"""Progress on standard error: bars in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal

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
from sqbench.report.console import console
from sqbench.store.record import Observation, Record

Kind = Literal["auto", "bars", "lines", "none"]

_REASONS_SHOWN = 20
_MANY = 500  # clips, from which on hashing them shows
_LINE_S = 30.0  # seconds between two lines of one task
_LINE_SHARE = 0.05  # or so much of it
_MEANS_WIDTH = 120  # columns from which on live means fit beside a bar


@dataclass
class _Task:
    total: int
    bar: TaskID | None
    started: float = field(default_factory=time.monotonic)
    done: int = 0
    failed: int = 0
    said_at: float = field(default_factory=time.monotonic)
    said: int = 0


class Display:
    """Tasks with a total, shown as they advance.

    Args:
        kind: ``auto`` is bars in a terminal and lines elsewhere.
    """

    def __init__(self, kind: Kind = "auto") -> None:
        self.console = console(stderr=True)
        self.kind = kind
        if kind == "auto":
            self.kind = "bars" if self.console.is_terminal else "lines"
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[extra]}", markup=False),
            console=self.console,
            disable=self.kind != "bars",
        )
        self._tasks: dict[str, _Task] = {}
        self._preparing: TaskID | None = None

    def __enter__(self) -> Display:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """A line of its own, whatever the kind is."""
        self.console.print(text, soft_wrap=True)

    def prepare(self, name: str) -> None:
        """Say that something is made ready, until a task begins."""
        self._prepared()
        if self.kind == "bars":
            self._preparing = self._bars.add_task(f"loading {name}", total=None, extra="")
        elif self.kind == "lines":
            self.say(f"loading {name} ...")

    def _prepared(self) -> None:
        if self._preparing is not None:
            self._bars.remove_task(self._preparing)
            self._preparing = None

    def add(self, name: str, total: int, extra: str = "") -> None:
        """Begin a task."""
        self._prepared()
        bar = None
        if self.kind == "bars":
            bar = self._bars.add_task(name, total=total, extra=extra)
        self._tasks[name] = _Task(total, bar)

    def advance(self, name: str, count: int = 1, *, failed: int = 0, extra: str = "") -> None:
        """So many more are done, some of them without a result."""
        task = self._tasks[name]
        task.done += count
        task.failed += failed
        if task.bar is not None:
            fits = self.console.width >= _MEANS_WIDTH
            self._bars.update(task.bar, advance=count, extra=extra if fits else "")
        elif self.kind == "lines":
            now = time.monotonic()
            enough = task.done - task.said >= max(1.0, _LINE_SHARE * task.total)
            if task.done == task.total or (
                (now - task.said_at >= _LINE_S or enough) and (now - task.started >= _LINE_S / 3)
            ):
                task.said_at, task.said = now, task.done
                self.say(self._line(name, task, now))

    def stop(self) -> None:
        """No more bars; what is said from here on is the end."""
        self._prepared()
        self._bars.stop()

    def _line(self, name: str, task: _Task, now: float) -> str:
        spent = now - task.started
        text = f"{name}: {task.done}/{task.total} in {duration(spent)}"
        if task.done < task.total:
            left = spent / task.done * (task.total - task.done)
            text += f", {duration(left)} left"
        return text + (f", {task.failed} failed" if task.failed else "")


def duration(seconds: float) -> str:
    """``8 s``, ``14 min``, ``3.2 h``: one unit, for a glance."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@dataclass
class _Missing:
    """What has no score for one reason: metrics and utterances, in the order of appearance."""

    reason: str
    metrics: dict[str, None] = field(default_factory=dict)
    utterances: dict[str, None] = field(default_factory=dict)

    def line(self, codec: str) -> str:
        first, *rest = self.utterances
        more = f" and {len(rest)} more" if rest else ""
        reason = self.reason.removeprefix(f"codec {codec}: ")
        return f"{codec}: {first}{more}: {', '.join(self.metrics)}: {reason}"


class Progress:
    """A `sqbench.engine.monitor.Monitor` on standard error.

    Args:
        kind: see `Display`.
        quiet: say nothing but what is missing in the end.
    """

    def __init__(self, kind: Kind = "auto", *, quiet: bool = False) -> None:
        self.display = Display("none" if quiet else kind)
        self.quiet = quiet
        self._sums: dict[str, dict[str, tuple[float, int]]] = defaultdict(dict)
        self._reasons: dict[tuple[str, str], _Missing] = {}

    def __enter__(self) -> Progress:
        self.display.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.display.__exit__(kind, value, trace)

    def note(self, text: str) -> None:
        if not self.quiet:
            self.display.say(text)

    def loading(self, codec: str) -> None:
        self.display.prepare(codec)

    def start(self, codec: str, todo: int, total: int) -> None:
        kept = f" ({total - todo} of {total} clips are done already)" if todo < total else ""
        if todo == 0 or self.display.kind != "bars":
            self.note(f"{codec}: {todo} clips to do{kept}")
        if todo:
            self.display.add(codec, todo)

    def scored(self, codec: str, records: Sequence[Record]) -> None:
        sums = self._sums[codec]
        lost = False
        for record in records:
            kind = record["category"]
            if record["value"] is not None and record["metric"]:
                name = f"{'' if kind == 'speech' else f'{kind} '}{record['metric']}"
                total, n = sums.get(name, (0.0, 0))
                sums[name] = (total + record["value"], n + 1)
            elif record["status"] in ("failed", "undefined") and record["metric"]:
                lost = True
                self._miss(codec, record["metric"], record["utterance"], record["reason"])
        means = "  ".join(f"{name} {total / n:.2f}" for name, (total, n) in sorted(sums.items()))
        self.display.advance(codec, failed=lost, extra=means)

    def predicted(self, evaluator: str, predictions: Sequence[Observation]) -> None:
        failed = 0
        for one in predictions:
            if one["status"] != "ok":
                failed += 1
                self._miss(one["codec"], one["task"], one["utterance"], one["reason"])
        self.display.advance(evaluator, len(predictions), failed=failed)

    def hashed(self, done: int, total: int) -> None:
        """A task of its own for what takes long only with many clips."""
        if total < _MANY:
            return
        if done == 1:
            self.display.add("hashing", total)
        self.display.advance("hashing")

    def _miss(self, codec: str, metric: str, utterance: str, reason: str | None) -> None:
        # Reasons that differ in a number alone are one: the first is shown.
        text = reason or "no reason given"
        key = (codec, re.sub(r"\d+", "#", text.replace(utterance, "")))
        missing = self._reasons.setdefault(key, _Missing(text))
        missing.metrics[metric] = None
        missing.utterances[utterance] = None

    def missing(self, where: str = "in the records") -> None:
        """End the bars, and say what has no score, and why; ``where`` all reasons are."""
        self.display.stop()
        lines = [missing.line(codec) for (codec, _), missing in self._reasons.items()]
        for line in lines[:_REASONS_SHOWN]:
            self.display.say(f"  no score: {line}")
        if len(lines) > _REASONS_SHOWN:
            self.display.say(f"  and {len(lines) - _REASONS_SHOWN} more reasons, {where}")

    def finish(self, outcome: Outcome, out: Path) -> None:
        """Say what was done and what is missing, and why."""
        self.note(f"{self.conclude(outcome)}. Next: sqbench table {out}")

    def conclude(self, outcome: Outcome, where: str = "in the records") -> str:
        """Say what is missing, and why, and what a user should know; returns what was done."""
        self.missing(where)
        for remark in outcome.remarks:
            self.note(remark)
        parts = [f"{outcome.scored} scored"]
        if outcome.failed:
            parts.append(f"{outcome.failed} failed")
        if outcome.kept:
            parts.append(f"{outcome.kept} were there already")
        text = ", ".join(parts)
        if outcome.predicted or outcome.predicted_kept:
            text += f"; {outcome.predicted - outcome.unpredicted} predicted"
            if outcome.unpredicted:
                text += f", {outcome.unpredicted} failed"
            if outcome.predicted_kept:
                text += f", {outcome.predicted_kept} were there already"
        return text
