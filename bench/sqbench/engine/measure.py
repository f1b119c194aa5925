"""Measuring on an executor, so that a metric that kills its process costs one score.

A worker that dies takes all metrics of its pair along. Such a pair is measured again, one metric
at a time: what kills again is the culprit, and the others keep their scores. One that took too
long is not given the time twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from sqbench.engine.pool import Executor, Failure
from sqbench.metrics.measure import Measurement, measure_pair


class MeasureTask(Protocol):
    """A pair to measure; picklable."""

    @property
    def metrics(self) -> tuple[str, ...]: ...
    def run(self) -> list[Measurement]: ...
    def only(self, metric: str) -> Self: ...


@dataclass(frozen=True, kw_only=True)
class ArrayTask:
    """A pair of arrays to measure.

    Attributes:
        reference, estimate: ``[T]``, first channels, each at its own rate.
        metrics: metric names.
    """

    reference: NDArray[np.float64]
    reference_rate: int
    estimate: NDArray[np.float32]
    estimate_rate: int
    metrics: tuple[str, ...]
    protocol: str

    def run(self) -> list[Measurement]:
        return measure_pair(
            self.reference,
            self.reference_rate,
            self.estimate,
            self.estimate_rate,
            self.metrics,
            self.protocol,
        )

    def only(self, metric: str) -> Self:
        return replace(self, metrics=(metric,))


T = TypeVar("T", bound=MeasureTask)


def run_task(task: MeasureTask) -> list[Measurement]:
    """What a worker runs."""
    return task.run()


def measure_all(executor: Executor, tasks: Iterable[T]) -> Iterator[tuple[int, list[Measurement]]]:
    """Yield ``(index of the task, a measurement per metric)`` as they finish."""
    held: dict[int, T] = {}

    def numbered() -> Iterator[T]:
        for index, task in enumerate(tasks):
            held[index] = task
            yield task

    suspects: list[tuple[int, T]] = []
    for index, outcome in executor.map(run_task, numbered()):
        task = held.pop(index)
        if not isinstance(outcome, Failure):
            yield index, outcome
        elif outcome.died and (len(task.metrics) > 1 or not outcome.late):
            # A single metric too: what killed its worker may have been something else.
            suspects.append((index, task))
        else:
            yield index, [_failed(outcome)] * len(task.metrics)
    singles = [(at, task.only(name)) for at, task in suspects for name in task.metrics]
    measured: dict[int, dict[str, Measurement]] = {at: {} for at, _ in suspects}
    for index, outcome in executor.map(run_task, [task for _, task in singles]):
        at, single = singles[index]
        measured[at][single.metrics[0]] = (
            _failed(outcome) if isinstance(outcome, Failure) else outcome[0]
        )
    for at, task in suspects:
        yield at, [measured[at][name] for name in task.metrics]


def _failed(failure: Failure) -> Measurement:
    return Measurement(math.nan, "failed", failure.reason)
