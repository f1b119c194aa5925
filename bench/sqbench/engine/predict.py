"""Evaluators over original and decoded audio: one model in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqbench.engine.assignment import Assignment
from sqbench.engine.cache import AudioCache
from sqbench.engine.hearing import Ear, Memory, content_of
from sqbench.engine.jobs import Item
from sqbench.engine.monitor import Monitor
from sqbench.engine.observations import ORIGINALS, Brought, Decoded, judged, lost
from sqbench.engine.ordering import InOrder
from sqbench.engine.pool import Executor, Failure
from sqbench.engine.systems.base import read_reference
from sqbench.errors import InputError
from sqbench.store.record import Observation
from sqbench.tasks.base import Clip
from sqbench.tasks.evaluators.base import Evaluator, Waveform, WorkerEvaluator

_WRITTEN_AT_ONCE = 16  # observations of a worker evaluator between two writes to the disk

Work = tuple[Decoded, Clip]

Observing = Callable[[Assignment, Sequence[Work], AudioCache, Memory], Iterator[list[Observation]]]


def unpredicted(
    assignments: Sequence[Assignment], codec_id: str, done: Collection[str]
) -> dict[str, Item]:
    """The clips of a codec that an evaluator has no prediction of yet, by id."""
    return {
        clip.id: assignment.items[clip.id]
        for assignment in assignments
        for clip in assignment.missing(codec_id, done)
    }


def predict(
    assignments: Sequence[Assignment],
    codecs: Sequence[Decoded],
    cache: AudioCache,
    done: set[str],
    memory: Memory,
    observing: Observing,
    monitor: Monitor,
) -> Iterator[list[Observation]]:
    """Predictions that are missing, of the originals and of these codecs, in their order.

    Args:
        cache: holds the decoded audio of every clip that has something missing.
        done: keys of predictions that are there; those made are added.
        memory: what was said of which samples; what is said is added.
        observing: `observe`, or the same somewhere else.
    """
    for assignment in assignments:
        work = [
            (codec, clip)
            for codec in (ORIGINALS, *codecs)
            for clip in assignment.missing(codec.codec_id, done)
        ]
        name = f"{assignment.task.name} by {assignment.label}"
        total = (1 + len(codecs)) * len(assignment.clips)
        if not work:
            continue
        monitor.start(name, len(work), total)
        made = observing(assignment, work, cache, memory)
        for predictions in _ordered(work, made):
            done.update(one["key"] for one in predictions)
            monitor.predicted(name, predictions)
            yield predictions


def _ordered(
    work: Sequence[Work], made: Iterable[list[Observation]]
) -> Iterator[list[Observation]]:
    """Observations in the order of the work."""
    positions = {(codec.codec_id, clip.id): at for at, (codec, clip) in enumerate(work)}
    order: InOrder[Observation] = InOrder()
    try:
        for some in made:
            ready: list[Observation] = []
            for one in some:
                ready += order.put(positions[one["codec_id"], one["utterance"]], one)
            if ready:
                yield ready
    except (Exception, KeyboardInterrupt):
        if held := order.rest():  # what was heard is not lost with the run
            yield held
        raise


def observe(
    assignment: Assignment,
    work: Sequence[Work],
    cache: AudioCache,
    memory: Memory,
    executor: Executor,
) -> Iterator[list[Observation]]:
    """What an evaluator hears in these clips, in any order, on this machine."""
    evaluator = assignment.evaluator
    try:
        evaluator.load(lambda name: evaluator.resample(*original(assignment.items[name])))
    except InputError as error:
        # The other tasks go on; the records say why this one has nothing.
        yield [lost(assignment, Brought(codec, clip, None), error) for codec, clip in work]
        return
    ear: Ear[Brought] = Ear(evaluator, memory)
    try:
        if isinstance(evaluator, WorkerEvaluator):
            yield from _in_workers(assignment, evaluator, work, cache, ear, executor)
        else:
            yield from _here(assignment, work, cache, ear)
    finally:
        evaluator.close()


def _here(
    assignment: Assignment, work: Sequence[Work], cache: AudioCache, ear: Ear[Brought]
) -> Iterator[list[Observation]]:
    size = assignment.evaluator.batch_size
    for start in range(0, len(work), size):
        made: list[Observation] = []
        fresh: dict[str, tuple[Waveform, Clip]] = {}
        for codec, clip in work[start : start + size]:
            found = to_hear(assignment, codec, clip, cache, ear, made)
            if found is not None:
                key, waveform = found
                fresh[key] = (waveform, clip)
        said = together(assignment.evaluator, list(fresh.values()))
        for key, outcome in zip(fresh, said, strict=True):
            made += told(assignment, ear, key, outcome)
        yield made


def together(
    evaluator: Evaluator, audible: Sequence[tuple[Waveform, Clip]]
) -> list[Mapping[str, Any] | Exception]:
    """Observe a batch; if that fails, one by one, so that only the culprit is lost."""
    if not audible:
        return []
    try:
        found = evaluator.predict(
            [waveform for waveform, _ in audible], [clip for _, clip in audible]
        )
        if len(found) != len(audible):
            raise RuntimeError(f"{len(found)} observations of {len(audible)} clips")
    except Exception as error:
        if len(audible) == 1:
            return [error]
        return [one for each in audible for one in together(evaluator, [each])]
    return list(found)


def _in_workers(
    assignment: Assignment,
    evaluator: WorkerEvaluator,
    work: Sequence[Work],
    cache: AudioCache,
    ear: Ear[Brought],
    executor: Executor,
) -> Iterator[list[Observation]]:
    sent: list[str] = []
    made: list[Observation] = []

    def waveforms() -> Iterator[Waveform]:
        for codec, clip in work:
            found = to_hear(assignment, codec, clip, cache, ear, made)
            if found is not None:
                key, waveform = found
                sent.append(key)
                yield waveform

    for index, outcome in executor.map(evaluator.listener(), waveforms()):
        said = outcome.reason if isinstance(outcome, Failure) else outcome
        made += told(assignment, ear, sent[index], said)
        if len(made) >= _WRITTEN_AT_ONCE:
            # The producing thread may add to the list meanwhile: take what is there, no more.
            ready = [made.pop() for _ in range(len(made))]
            yield ready
    if made:
        yield made


def to_hear(
    assignment: Assignment,
    codec: Decoded,
    clip: Clip,
    cache: AudioCache,
    ear: Ear[Brought],
    made: list[Observation],
) -> tuple[str, Waveform] | None:
    """Samples that are to be heard, with their key.

    Nothing where equal ones are being heard, are known already, or there are none: ``made`` then
    has the observation, or `told` will.
    """
    try:
        waveform = _waveform(assignment, codec, clip, cache)
        content = content_of(waveform, assignment.evaluator.sample_rate)
    except Exception as error:
        made.append(lost(assignment, Brought(codec, clip, None), error))
        return None
    who = Brought(codec, clip, content)
    answer = ear.ask(content, clip, who)
    if answer.said is not None:
        made.append(judged(assignment, who, answer.said))
    return (answer.key, waveform) if answer.hear else None


def told(
    assignment: Assignment,
    ear: Ear[Brought],
    key: str,
    outcome: Mapping[str, Any] | Exception | str,
) -> list[Observation]:
    """Observations of all clips that have the samples of which something was said, or nothing."""
    if isinstance(outcome, Exception | str):
        return [lost(assignment, who, outcome) for who in ear.tell(key, None)]
    return [judged(assignment, who, outcome) for who in ear.tell(key, outcome)]


def _waveform(assignment: Assignment, codec: Decoded, clip: Clip, cache: AudioCache) -> Waveform:
    if codec is ORIGINALS:
        return assignment.evaluator.resample(*original(assignment.items[clip.id]))
    key = (codec.codec_id, clip.id)
    if key not in cache:
        raise InputError(codec.lost.get(clip.id, "not decoded"))
    return assignment.evaluator.resample(*cache.get(key))


def original(item: Item) -> tuple[NDArray[np.float64], int]:
    """The original audio ``[T]`` of a clip and its rate in Hz.

    Raises:
        InputError: it cannot be read.
    """
    if item.problem is not None:
        raise InputError(item.problem)
    return read_reference(item)
