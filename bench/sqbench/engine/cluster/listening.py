"""Evaluators on a cluster: one model at a time, on every node, heard in the order of the work."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqbench.engine.assignment import Assignment
from sqbench.engine.cache import AudioCache
from sqbench.engine.cluster import remote
from sqbench.engine.cluster.connection import Node, on
from sqbench.engine.cluster.crew import Crew
from sqbench.engine.cluster.parcels import parcel
from sqbench.engine.cluster.progress import NodeLines
from sqbench.engine.cluster.remote import Place
from sqbench.engine.cluster.scoring import LOSSES
from sqbench.engine.hearing import Ear, Memory
from sqbench.engine.jobs import Item
from sqbench.engine.monitor import Monitor
from sqbench.engine.observations import Brought, lost
from sqbench.engine.predict import Work, to_hear, told
from sqbench.errors import InputError
from sqbench.store.record import Observation
from sqbench.tasks.base import Clip
from sqbench.tasks.evaluators.base import Waveform, WorkerEvaluator


@dataclass(frozen=True)
class _Batch:
    """Samples to hear, by key."""

    number: int
    samples: Mapping[str, tuple[Waveform, Clip]]


def observe(
    ray: Any,
    place: Place,
    monitor: Monitor,
    assignment: Assignment,
    work: Sequence[Work],
    cache: AudioCache,
    memory: Memory,
) -> Iterator[list[Observation]]:
    """What an evaluator hears in these clips (`sqbench.engine.predict.observe`)."""
    evaluator = assignment.evaluator
    gpu = evaluator.setting.device != "cpu"
    each = isinstance(evaluator, WorkerEvaluator)
    originals = {name: _sendable(ray, item) for name, item in assignment.items.items()}
    given = ray.put((evaluator, originals))

    def start(node: Node) -> Any:
        kind = ray.remote(num_cpus=0, num_gpus=1 if gpu else 0, max_restarts=0)(_Listener)
        return kind.options(scheduling_strategy=on(ray, node.id)).remote(given, place)

    def places(node: Node) -> int:
        if gpu:
            return node.gpus
        return node.cpus if each else min(1, node.cpus)

    crew: Crew[_Batch] = Crew(ray, start, places)
    lines = NodeLines(monitor, f"{assignment.task.name} by {assignment.label}", "heard")
    try:
        yield from _heard(assignment, work, cache, memory, crew, lines)
        lines.say()
    finally:
        crew.close()


class _Listener(remote.Listener):
    """A listener whose evaluator comes by the object store, once for all nodes."""

    def __init__(self, given: tuple[Any, Mapping[str, Item]], place: Place) -> None:
        super().__init__(*given, place)


def _sendable(ray: Any, item: Item) -> Item:
    try:
        return parcel(ray, item)
    except Exception:  # it cannot be fetched: whoever reads it there is told by the item itself
        return Item(item.utterance, item.audio_sha256, (), item.problem, item.bytes)


def _heard(
    assignment: Assignment,
    work: Sequence[Work],
    cache: AudioCache,
    memory: Memory,
    crew: Crew[_Batch],
    lines: NodeLines,
) -> Iterator[list[Observation]]:
    ear: Ear[Brought] = Ear(assignment.evaluator, memory)
    made: list[Observation] = []
    fresh = _batches(assignment, work, cache, ear, made)
    again: deque[_Batch] = deque()
    losses: Counter[int] = Counter()
    problem = ""
    finished = False
    while not finished or again or any(member.held for member in crew.members):
        crew.look()
        while not finished or again:
            member = crew.free()
            if member is None and not problem:
                break
            batch = again.popleft() if again else next(fresh, None)
            if batch is None:
                finished = True
            elif member is None:  # nobody can load it: the records say why
                made += _silent(assignment, ear, batch, problem)
            else:
                call = member.actor.hear.remote(
                    *map(list, zip(*batch.samples.values(), strict=True))
                )
                member.held[call] = batch
        if made:
            yield made.copy()
            made.clear()
        if crew.hopeless and not problem:
            raise InputError(
                f"evaluator {assignment.label}",
                expected="a node of the cluster that can hold it",
                found="none",
            )
        for ref in crew.wait():
            for event in crew.take(ref):
                if event.kind == "ready" and event.value:
                    crew.dismiss(event.member, for_good=True)
                    problem = problem if crew.members else event.value
                elif event.kind == "done":
                    (batch,) = event.tags
                    lines.done(event.member.node, len(batch.samples))
                    for key, said in zip(batch.samples, event.value, strict=True):
                        made += told(assignment, ear, key, said)
                elif event.kind == "lost":
                    lines.lost(event.member.node, len(event.tags), type(event.value).__name__)
                    for batch in event.tags:
                        losses[batch.number] += 1
                        if losses[batch.number] <= LOSSES:
                            again.append(batch)
                        else:
                            reason = f"lost {LOSSES + 1} times on its way through the cluster"
                            made += _silent(assignment, ear, batch, reason)
    if made:
        yield made


def _batches(
    assignment: Assignment,
    work: Sequence[Work],
    cache: AudioCache,
    ear: Ear[Brought],
    made: list[Observation],
) -> Iterator[_Batch]:
    """What is to be heard, drawn as nodes are free; what needs no hearing goes to ``made``."""
    size = assignment.evaluator.batch_size
    for number, start in enumerate(range(0, len(work), size)):
        samples: dict[str, tuple[Waveform, Clip]] = {}
        for codec, clip in work[start : start + size]:
            found = to_hear(assignment, codec, clip, cache, ear, made)
            if found is not None:
                samples[found[0]] = (found[1], clip)
        if samples:
            yield _Batch(number, samples)


def _silent(
    assignment: Assignment, ear: Ear[Brought], batch: _Batch, reason: str
) -> list[Observation]:
    """Nothing was heard of a batch."""
    return [lost(assignment, who, reason) for key in batch.samples for who in ear.tell(key, None)]
