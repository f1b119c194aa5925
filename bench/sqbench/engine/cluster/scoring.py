"""The clips of one codec on a cluster, from jobs to records.

Shards of neighbouring clips go to the nodes that hold the codec; each coded pair goes from node to
node to a free processor, which measures it. Only what is written passes through here, in the order
of the clips. Nothing depends on who did what, so what a node took down with it is done again.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqbench.engine.cluster import connection, remote
from sqbench.engine.cluster.crew import Event
from sqbench.engine.cluster.parcels import parcel, shards
from sqbench.engine.cluster.progress import NodeLines
from sqbench.engine.cluster.remote import Sent
from sqbench.engine.cluster.system import ClusterSystem, Shard
from sqbench.engine.jobs import Item, Job
from sqbench.engine.ordering import InOrder
from sqbench.engine.records import RecordBuilder
from sqbench.engine.scoring import Coding
from sqbench.engine.systems.base import Reconstruction, why
from sqbench.errors import InputError
from sqbench.store.record import Record

WINDOW = 4096
"""Clips that may be done ahead of the first that is not: their records are in memory."""

LOSSES = 5
"""Times that a clip is done again because a node or process was lost, before it fails."""

_MEASURING = 3
"""Pairs for each processor that are on their way to be measured: their audio is in memory."""


@dataclass(frozen=True)
class _Measuring:
    position: int
    sent: Sent


class ClusterScoring:
    """A `sqbench.engine.scoring.Scorer` on a cluster."""

    def __init__(self, ray: Any, coding: Coding, system: ClusterSystem) -> None:
        self.ray, self.coding, self.system = ray, coding, system
        self.build = RecordBuilder(system, coding.keys)
        self.lines = NodeLines(system.monitor, system.name, "coded")
        self._order: InOrder[list[Record]] = InOrder()
        self._jobs: Sequence[Job] = ()
        self._todo: deque[Shard] = deque()
        self._audio: dict[Shard, list[Any]] = {}
        self._measuring: dict[Any, _Measuring] = {}
        self._losses: Counter[int] = Counter()
        self._ready: list[list[Record]] = []
        self._measure = ray.remote(num_cpus=1, max_retries=2)(remote.measure)

    def of(self, jobs: Sequence[Job]) -> Iterator[list[Record]]:
        """See `sqbench.engine.scoring.Scorer.of`."""
        self._jobs = jobs
        readable = []
        for position, job in enumerate(jobs):
            if job.item.problem is None:
                readable.append(position)
            else:
                self._lost(position, job.item.problem)
        crew = self.system.crew
        size = self.coding.plan.options.batch_size
        self._todo.extend(shards(jobs, readable, size, crew.processors))
        while self._todo or self._measuring or any(member.held for member in crew.members):
            yield from self._written()
            crew.look()
            self._give()
            if crew.hopeless and not self._measuring:
                raise InputError(
                    f"codec {self.system.name}",
                    expected="a node of the cluster that holds it",
                    found="none any more",
                    remedy="What was finished is kept; the same command goes on.",
                )
            for ref in crew.wait(self._measuring):
                self._take(ref)
        yield from self._written()
        self.lines.say()
        self.system.keep_logs()

    def rest(self) -> list[Record]:
        """See `sqbench.engine.scoring.Scorer.rest`."""
        held = [*self._ready, *self._order.rest()]
        return [record for records in held for record in records]

    def _written(self) -> Iterator[list[Record]]:
        while self._ready:
            yield self._ready.pop(0)

    def _put(self, position: int, records: list[Record]) -> None:
        if position not in self._order:  # done twice, as its node was lost too late
            self._ready += self._order.put(position, records)

    def _lost(self, position: int, reason: str) -> None:
        job = self._jobs[position]
        self.coding.decoded.lost[job.item.utterance.id] = reason
        self._put(position, self.build.lost(job, reason))

    def _give(self) -> None:
        """Hand out shards, as long as what they make can be taken in."""
        most = _MEASURING * self.system.crew.processors
        while self._todo and len(self._measuring) < most:
            if self._todo[0][-1] > self._order.released + WINDOW:
                return
            member = self.system.crew.free()
            if member is None:
                return
            shard = self._todo.popleft()
            items: dict[int, Item] = {}
            for position in shard:
                try:
                    items[position] = parcel(self.ray, self._jobs[position].item)
                except Exception as error:  # bytes may come from anywhere
                    self._lost(position, why(error))
            if not items:
                continue
            shard = tuple(items)
            call = member.actor.code.options(num_returns=1 + 2 * len(shard))
            told, *audio = call.remote(list(items.values()))
            member.held[told] = shard
            self._audio[shard] = audio

    def _take(self, ref: Any) -> None:
        if ref in self._measuring:
            self._measured(ref)
            return
        for event in self.system.crew.take(ref):
            if event.kind == "ready":
                self.system.joined(event)
            elif event.kind == "lost":
                pieces = event.tags
                self.lines.lost(event.member.node, len(pieces), type(event.value).__name__)
                for shard in pieces:
                    self._audio.pop(shard, None)
                    self._again(shard, event.value)
            else:
                self._coded(event)

    def _coded(self, event: Event[Shard]) -> None:
        """A shard is coded: have its pairs measured."""
        (shard,) = event.tags
        audio = self._audio.pop(shard)
        told: list[Sent | str] = event.value
        failed = sum(isinstance(one, str) for one in told)
        self.lines.done(event.member.node, len(told), failed)
        for at, (position, one) in enumerate(zip(shard, told, strict=True)):
            if position in self._order:
                continue
            if isinstance(one, str):
                self._lost(position, one)
                continue
            job = self._jobs[position]
            reference, estimate = audio[2 * at : 2 * at + 2]
            try:
                refused = self._kept(job, one, reference, estimate)
            except self.ray.exceptions.RayError as error:
                self._again((position,), error)
                continue
            if refused is not None:
                self._lost(position, refused)
            elif not job.metrics:
                self._put(position, self.build.done(job, one.coded, ()))
            else:
                references = self.coding.plan.references
                metrics = tuple(references[metric.name] for metric in job.metrics)
                protocol = self.coding.plan.options.protocol
                ref = self._measure.remote(reference, estimate, one, metrics, protocol)
                self._measuring[ref] = _Measuring(position, one)

    def _kept(self, job: Job, sent: Sent, reference: Any, estimate: Any) -> str | None:
        """Fetch the decoded audio, if it is to be saved or heard, and keep it."""
        wanted = job.item.utterance.id in self.coding.wanted
        if not (wanted or self.coding.plan.options.save_audio):
            return None
        outcome = Reconstruction(
            item=job.item,
            reference=self.ray.get(reference)[:0],
            reference_rate=sent.reference_rate,
            estimate=self.ray.get(estimate).copy(),
            estimate_rate=sent.estimate_rate,
            coded=sent.coded,
        )
        return self.coding.keep(outcome)

    def _measured(self, ref: Any) -> None:
        about = self._measuring.pop(ref)
        try:
            measured = self.ray.get(ref)
        except Exception as error:
            if not connection.lost(self.ray, error):
                raise
            self._again((about.position,), error)
            return
        job = self._jobs[about.position]
        self._put(about.position, self.build.done(job, about.sent.coded, measured))

    def _again(self, shard: Shard, error: BaseException) -> None:
        """Code clips once more whose audio was lost on its way."""
        again = []
        for position in shard:
            self._losses[position] += 1
            if self._losses[position] > LOSSES:
                what = f"lost {LOSSES + 1} times on its way through the cluster"
                self._lost(position, f"{what} ({type(error).__name__})")
            else:
                again.append(position)
        if again:
            self._todo.appendleft(tuple(again))
