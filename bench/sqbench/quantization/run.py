"""Runs what is missing of a matrix, in worker processes, into a results folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sqbench.engine.pool import Failure, ProcessPool
from sqbench.errors import InputError
from sqbench.quantization import record as records
from sqbench.quantization.cell import Cell
from sqbench.quantization.experiment import Trial, train
from sqbench.store import reader as stores
from sqbench.store.provenance import environment
from sqbench.store.writer import RunWriter

_TIMEOUT_S = 1800.0


class Monitor(Protocol):
    """Who watches a run."""

    def start(self, todo: int, total: int) -> None:
        """So many cells will be trained."""

    def trained(self, cell: Cell, trials: Sequence[Trial]) -> None:
        """A cell is done."""

    def failed(self, cell: Cell, reason: str) -> None:
        """A cell gave no result."""


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        trials: of all cells asked for, by identity; those that there are.
        computed, kept: cells trained now, and before.
        failed: cell labels and why they have no result.
        wall_s: of this run.
    """

    trials: dict[str, list[Trial]] = field(default_factory=dict)
    computed: int = 0
    kept: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    wall_s: float = 0.0


def run(
    cells: Sequence[Cell],
    seeds: Sequence[int],
    out: Path,
    monitor: Monitor,
    *,
    workers: int = 1,
    force: bool = False,
    command: str = "",
) -> Outcome:
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
    jobs = [(c, list(seeds) if force else records.missing(c, seeds, store)) for c in cells]
    jobs = [(cell, todo) for cell, todo in jobs if todo]
    outcome = Outcome(computed=len(jobs), kept=len(cells) - len(jobs))
    monitor.start(len(jobs), len(cells))
    if jobs:
        # The longest first, so that no worker is left with one at the end.
        jobs.sort(key=lambda job: -job[0].steps * len(job[1]) * (1 + job[0].rate_bits))
        description = records.run_description(cells, seeds, command, environment())
        with (
            RunWriter(out, description) as writer,
            ProcessPool(min(workers, len(jobs)), timeout_s=_TIMEOUT_S) as pool,
        ):
            for index, result in pool.map(_train, jobs):
                cell, todo = jobs[index]
                if isinstance(result, Failure):
                    outcome.failed[cell.label] = result.reason
                    writer.append(records.of_failure(cell, todo, result.reason))
                    monitor.failed(cell, result.reason)
                else:
                    for trial in result:
                        writer.append(records.of_trial(cell, trial))
                    monitor.trained(cell, result)
        store = stores.load(out)
    outcome.trials = records.trials(store, cells, seeds)
    outcome.wall_s = time.monotonic() - started
    return outcome


def _train(job: tuple[Cell, list[int]]) -> list[Trial]:
    import torch

    torch.set_num_threads(1)
    return train(*job)
