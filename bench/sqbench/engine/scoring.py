"""The clips of one system, from audio to records, on this machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqbench.engine.cache import AudioCache
from sqbench.engine.jobs import Job, Keys
from sqbench.engine.measure import ArrayTask, measure_all
from sqbench.engine.observations import Decoded
from sqbench.engine.ordering import InOrder
from sqbench.engine.plan import Plan
from sqbench.engine.pool import Executor
from sqbench.engine.records import RecordBuilder
from sqbench.engine.saving import save
from sqbench.engine.systems.base import Coded, Lost, Reconstruction, Subject, System
from sqbench.store.record import Record

BATCH_BYTES = 1 << 26
"""Encoded bytes that a codec is handed at once: half an hour of 16-bit audio at 16 kHz."""


@dataclass(frozen=True, kw_only=True)
class Coding:
    """A system in a run.

    Attributes:
        keys: of its records.
        decoded: who evaluators are told that the audio is of.
        wanted: ids of the clips that evaluators are to hear.
        cache: where their audio is kept.
        folder: of the run.
    """

    plan: Plan
    system: Subject
    keys: Keys
    decoded: Decoded
    wanted: frozenset[str]
    cache: AudioCache
    folder: Path

    def keep(self, outcome: Reconstruction) -> str | None:
        """Keep the audio of a clip for who wants it; why it cannot be saved, if it cannot."""
        refused = None
        if self.plan.options.save_audio:
            refused = save(self.folder, self.system.name, self.plan.file_names, outcome)
        clip = outcome.item.utterance.id
        if refused is None and clip in self.wanted:
            key = (self.decoded.codec_id, clip)
            self.cache.put(key, outcome.estimate, outcome.estimate_rate)
        return refused


class Scorer(Protocol):
    """From jobs to records, wherever that is done."""

    def of(self, jobs: Sequence[Job]) -> Iterator[list[Record]]:
        """Records of each job, in the order of the jobs."""
        ...

    def rest(self) -> list[Record]:
        """Of work that ended early: records that waited for their turn."""
        ...


class Scoring:
    """A `Scorer` on this machine.

    Args:
        executor: measures.
    """

    def __init__(self, coding: Coding, executor: Executor) -> None:
        assert isinstance(coding.system, System), "it is not on this machine"
        self.coding, self.executor, self.system = coding, executor, coding.system
        self.build = RecordBuilder(coding.system, coding.keys)
        self._order: InOrder[list[Record]] = InOrder()
        self._sent: dict[int, tuple[int, Job, Coded]] = {}
        self._ready: deque[tuple[int, list[Record]]] = deque()  # without measuring
        self._positions: dict[str, int] = {}

    def of(self, jobs: Sequence[Job]) -> Iterator[list[Record]]:
        """See `Scorer.of`."""
        self._positions = {job.item.utterance.id: at for at, job in enumerate(jobs)}
        tasks = self._tasks(jobs)
        if not any(job.metrics for job in jobs):
            for _ in tasks:
                raise RuntimeError("something to measure where there is nothing to measure")
        for index, measured in measure_all(self.executor, tasks):
            yield from self._without_measuring()
            position, job, coded = self._sent.pop(index)
            yield from self._order.put(position, self.build.done(job, coded, measured))
        yield from self._without_measuring()

    def rest(self) -> list[Record]:
        """See `Scorer.rest`."""
        return [record for records in self._order.rest() for record in records]

    def _without_measuring(self) -> Iterator[list[Record]]:
        while self._ready:
            yield from self._order.put(*self._ready.popleft())

    def _tasks(self, jobs: Sequence[Job]) -> Iterator[ArrayTask]:
        """Run the system; drawn from by a thread of its own (`sqbench.engine.pool`)."""
        plan = self.coding.plan
        readable = []
        for job in jobs:
            if job.item.problem is None:
                readable.append(job)
            else:
                self._lost(job, job.item.problem)
        batches = (
            [job.item for job in batch] for batch in in_batches(readable, plan.options.batch_size)
        )
        number = 0
        for outcome in self.system.reconstruct(batches):
            position = self._positions[outcome.item.utterance.id]
            job = jobs[position]
            if isinstance(outcome, Lost):
                self._lost(job, outcome.reason)
                continue
            if (refused := self.coding.keep(outcome)) is not None:
                self._lost(job, refused)
                continue
            if not job.metrics:
                self._ready.append((position, self.build.done(job, outcome.coded, ())))
                continue
            # Not the arrays: they go to a worker and are not needed here again.
            self._sent[number] = (position, job, outcome.coded)
            number += 1
            yield ArrayTask(
                reference=outcome.reference,
                reference_rate=outcome.reference_rate,
                estimate=outcome.estimate,
                estimate_rate=outcome.estimate_rate,
                metrics=tuple(plan.references[metric.name] for metric in job.metrics),
                protocol=plan.options.protocol,
            )

    def _lost(self, job: Job, reason: str) -> None:
        clip = job.item.utterance.id
        self.coding.decoded.lost[clip] = reason
        self._ready.append((self._positions[clip], self.build.lost(job, reason)))


def in_batches(jobs: Sequence[Job], size: int) -> Iterator[Sequence[Job]]:
    """Up to ``size`` jobs, fewer where they are large: a batch is in memory as a whole."""
    batch: list[Job] = []
    held = 0
    for job in jobs:
        if batch and (len(batch) == size or held + job.item.bytes > BATCH_BYTES):
            yield batch
            batch, held = [], 0
        batch.append(job)
        held += job.item.bytes
    if batch:
        yield batch
