"""Evaluators over original and decoded audio: one model in memory at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqbench.engine.assignment import Assignment
from sqbench.engine.cache import AudioCache
from sqbench.engine.hearing import Ear, Memory, content_of
from sqbench.engine.jobs import Item
from sqbench.engine.monitor import Monitor
from sqbench.engine.observations import ORIGINALS, Brought, Decoded, judged, lost
from sqbench.engine.pool import Executor, Failure
from sqbench.engine.systems.base import read_reference
from sqbench.errors import InputError
from sqbench.store.record import Observation
from sqbench.tasks.base import Clip
from sqbench.tasks.evaluators.base import Waveform, WorkerEvaluator

_WRITTEN_AT_ONCE = 16  # observations of a worker evaluator between two writes to the disk

_Work = tuple[Decoded, Clip]


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
    executor: Executor,
    monitor: Monitor,
) -> Iterator[list[Observation]]:
    """Predictions that are missing, of the originals and of these codecs, as they are made.

    Args:
        cache: holds the decoded audio of every clip that has something missing.
        done: keys of predictions that are there; those made are added.
        memory: what was said of which samples; what is said is added.
    """
    for assignment in assignments:
        work = [
            (codec, clip)
            for codec in (ORIGINALS, *codecs)
            for clip in assignment.missing(codec.codec_id, done)
        ]
        name = f"{assignment.task.name} by {assignment.label}"
        total = (1 + len(codecs)) * len(assignment.data.clips)
        if not work:
            continue
        monitor.start(name, len(work), total)
        for predictions in _made(assignment, work, cache, memory, executor):
            done.update(one["key"] for one in predictions)
            monitor.predicted(name, predictions)
            yield predictions


def _made(
    assignment: Assignment,
    work: Sequence[_Work],
    cache: AudioCache,
    memory: Memory,
    executor: Executor,
) -> Iterator[list[Observation]]:
    evaluator = assignment.evaluator
    try:
        evaluator.load(lambda name: evaluator.resample(*_original(assignment.items[name])))
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
    assignment: Assignment, work: Sequence[_Work], cache: AudioCache, ear: Ear[Brought]
) -> Iterator[list[Observation]]:
    size = assignment.evaluator.batch_size
    for start in range(0, len(work), size):
        made: list[Observation] = []
        fresh: dict[str, tuple[Waveform, Clip]] = {}
        for codec, clip in work[start : start + size]:
            found = _to_hear(assignment, codec, clip, cache, ear, made)
            if found is not None:
                key, waveform = found
                fresh[key] = (waveform, clip)
        said = _together(assignment, list(fresh.values()))
        for key, outcome in zip(fresh, said, strict=True):
            made += _told(assignment, ear, key, outcome)
        yield made


def _together(
    assignment: Assignment, audible: Sequence[tuple[Waveform, Clip]]
) -> list[Mapping[str, Any] | Exception]:
    """Observe a batch; if that fails, one by one, so that only the culprit is lost."""
    if not audible:
        return []
    try:
        found = assignment.evaluator.predict(
            [waveform for waveform, _ in audible], [clip for _, clip in audible]
        )
        if len(found) != len(audible):
            raise RuntimeError(f"{len(found)} observations of {len(audible)} clips")
    except Exception as error:
        if len(audible) == 1:
            return [error]
        return [one for each in audible for one in _together(assignment, [each])]
    return list(found)


def _in_workers(
    assignment: Assignment,
    evaluator: WorkerEvaluator,
    work: Sequence[_Work],
    cache: AudioCache,
    ear: Ear[Brought],
    executor: Executor,
) -> Iterator[list[Observation]]:
    sent: list[str] = []
    made: list[Observation] = []

    def waveforms() -> Iterator[Waveform]:
        for codec, clip in work:
            found = _to_hear(assignment, codec, clip, cache, ear, made)
            if found is not None:
                key, waveform = found
                sent.append(key)
                yield waveform

    for index, outcome in executor.map(evaluator.listener(), waveforms()):
        said = outcome.reason if isinstance(outcome, Failure) else outcome
        made += _told(assignment, ear, sent[index], said)
        if len(made) >= _WRITTEN_AT_ONCE:
            # The producing thread may add to the list meanwhile: take what is there, no more.
            ready = [made.pop() for _ in range(len(made))]
            yield ready
    if made:
        yield made


def _to_hear(
    assignment: Assignment,
    codec: Decoded,
    clip: Clip,
    cache: AudioCache,
    ear: Ear[Brought],
    made: list[Observation],
) -> tuple[str, Waveform] | None:
    """Samples that are to be heard, with their key.

    Nothing where equal ones are being heard, are known already, or there are none: ``made`` then
    has the observation, or `_told` will.
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


def _told(
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
        return assignment.evaluator.resample(*_original(assignment.items[clip.id]))
    key = (codec.codec_id, clip.id)
    if key not in cache:
        raise InputError(codec.lost.get(clip.id, "not decoded"))
    return assignment.evaluator.resample(*cache.get(key))


def _original(item: Item) -> tuple[NDArray[np.float64], int]:
    if item.problem is not None:
        raise InputError(item.problem)
    return read_reference(item)
