"""Runs what is missing of a matrix, in worker processes, into a results folder."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sqbench.engine.pool import Failure, ProcessPool
from sqbench.errors import InputError
from sqbench.quantization import record as records
from sqbench.quantization.build import shape
from sqbench.quantization.cell import Cell
from sqbench.quantization.experiment import QuantizationTrial, train_together
from sqbench.store import reader as stores
from sqbench.store.provenance import environment
from sqbench.store.writer import RunWriter

_TIMEOUT_S = 1800.0
_ROWS = 15
"""Of a job: cells times seeds."""


class QuantizationMonitor(Protocol):
    """Who watches a run."""

    def start(self, todo: int, total: int, work: float) -> None:
        """So many cells will be trained; ``work`` is the sum of their `cost` times seeds."""

    def trained(self, cell: Cell, trials: Sequence[QuantizationTrial]) -> None:
        """A cell is done."""

    def failed(self, cell: Cell, reason: str) -> None:
        """A cell gave no result."""


@dataclass
class QuantizationOutcome:
    """What a run did.

    Attributes:
        trials: of all cells asked for, by identity; those that there are.
        computed, kept: cells trained now, and before.
        failed: cell labels and why they have no result.
        wall_s: of this run.
    """

    trials: dict[str, list[QuantizationTrial]] = field(default_factory=dict)
    computed: int = 0
    kept: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    wall_s: float = 0.0


def run(
    cells: Sequence[Cell],
    seeds: Sequence[int],
    out: Path,
    monitor: QuantizationMonitor,
    *,
    workers: int = 1,
    force: bool = False,
    command: str = "",
) -> QuantizationOutcome:
    """Train the cells and seeds that ``out`` has no results of.

    Raises:
        InputError: the folder cannot be written to, or an argument is out of range.
    """
    if workers < 1:
        raise InputError("--workers", expected="at least 1", found=str(workers))
    if not seeds:
        raise InputError("--seeds", expected="at least 1", found="0")
    started = time.monotonic()
    store = stores.load(out)
    missing = [(c, list(seeds) if force else records.missing(c, seeds, store)) for c in cells]
    missing = [(cell, todo) for cell, todo in missing if todo]
    outcome = QuantizationOutcome(computed=len(missing), kept=len(cells) - len(missing))
    monitor.start(len(missing), len(cells), sum(cost(c) * len(todo) for c, todo in missing))
    jobs = grouped(missing)
    if jobs:
        description = records.run_description(cells, seeds, command, environment())
        with (
            RunWriter(out, description) as writer,
            ProcessPool(min(workers, len(jobs)), timeout_s=_TIMEOUT_S) as pool,
        ):
            for index, result in pool.map(_train, jobs):
                group, todo = jobs[index]
                for number, cell in enumerate(group):
                    if isinstance(result, Failure):
                        outcome.failed[cell.label] = result.reason
                        writer.append(records.of_failure(cell, todo, result.reason))
                        monitor.failed(cell, result.reason)
                        continue
                    for trial in result[number]:
                        writer.append(records.of_trial(cell, trial))
                    monitor.trained(cell, result[number])
        store = stores.load(out)
    outcome.trials = records.trials(store, cells, seeds)
    outcome.wall_s = time.monotonic() - started
    return outcome


Job = tuple[list[Cell], list[int]]
"""Cells of one shape that are trained together, and their seeds."""


def grouped(missing: Sequence[tuple[Cell, list[int]]]) -> list[Job]:
    """Cells of one shape and with the same seeds to train, together; the longest jobs first.

    No job has more than `_ROWS` rows: so many use an operation's overhead up, and smaller jobs keep
    all workers busy to the end.
    """
    kinds: dict[tuple[object, ...], Job] = {}
    for cell, seeds in missing:
        kinds.setdefault((*shape(cell), *seeds), ([], seeds))[0].append(cell)
    jobs: list[Job] = []
    for cells, seeds in kinds.values():
        parts = math.ceil(len(cells) * len(seeds) / _ROWS)
        size = math.ceil(len(cells) / min(parts, len(cells)))
        jobs += [(cells[i : i + size], seeds) for i in range(0, len(cells), size)]
    return sorted(jobs, key=lambda job: -sum(map(cost, job[0])) * len(job[1]))


def cost(cell: Cell) -> float:
    """How long a seed takes, in steps of a cell with few codes."""
    codes = 2 ** min(cell.rate_bits, 13.0)
    return cell.steps * (1 + (codes / 512 if not cell.scalar else 0)) + codes / 8


def _train(job: Job) -> list[list[QuantizationTrial]]:
    import torch

    torch.set_num_threads(1)
    return train_together(*job)
