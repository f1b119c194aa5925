"""Evaluators over original and decoded audio: one model in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqbench.engine.assignment import Assignment
from sqbench.engine.cache import AudioCache
from sqbench.engine.jobs import Item
from sqbench.engine.monitor import Monitor
from sqbench.engine.pool import Executor, Failure
from sqbench.engine.systems.base import read_reference
from sqbench.errors import InputError
from sqbench.metrics.base import Status
from sqbench.store.record import ORIGINAL, SCHEMA, Observation
from sqbench.tasks.base import Clip
from sqbench.tasks.evaluators.base import Waveform, WorkerEvaluator
from sqbench_codecs.registry import resolve

_WRITTEN_AT_ONCE = 16  # observations of a worker evaluator between two writes to the disk


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A codec whose output is in the cache of a run.

    Attributes:
        weights: label of its weights, for records.
        lost: utterance id to why there is no audio of it.
    """

    name: str
    codec_id: str
    weights: str
    lost: dict[str, str] = field(default_factory=dict)


ORIGINALS = Decoded(name=ORIGINAL, codec_id=ORIGINAL, weights="none")

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
    executor: Executor,
    monitor: Monitor,
) -> Iterator[list[Observation]]:
    """Predictions that are missing, of the originals and of these codecs, as they are made.

    Args:
        cache: holds the decoded audio of every clip that has something missing.
        done: keys of predictions that are there; those made are added.
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
        for predictions in _made(assignment, work, cache, executor):
            done.update(one["key"] for one in predictions)
            monitor.predicted(name, predictions)
            yield predictions


def _made(
    assignment: Assignment, work: Sequence[_Work], cache: AudioCache, executor: Executor
) -> Iterator[list[Observation]]:
    evaluator = assignment.evaluator
    try:
        evaluator.load(lambda name: evaluator.bring(*_original(assignment.items[name])))
    except InputError as error:
        # The other tasks go on; the records say why this one has nothing.
        yield [_lost(assignment, codec, clip, error) for codec, clip in work]
        return
    try:
        if isinstance(evaluator, WorkerEvaluator):
            yield from _in_workers(assignment, work, cache, executor)
        else:
            yield from _here(assignment, work, cache)
    finally:
        evaluator.close()


def _here(
    assignment: Assignment, work: Sequence[_Work], cache: AudioCache
) -> Iterator[list[Observation]]:
    size = assignment.evaluator.batch_size
    for start in range(0, len(work), size):
        part = work[start : start + size]
        made: list[Observation] = []
        audible: list[tuple[Decoded, Clip, Waveform]] = []
        for codec, clip in part:
            try:
                audible.append((codec, clip, _waveform(assignment, codec, clip, cache)))
            except Exception as error:
                made.append(_lost(assignment, codec, clip, error))
        yield made + _together(assignment, audible)


def _together(
    assignment: Assignment, audible: Sequence[tuple[Decoded, Clip, Waveform]]
) -> list[Observation]:
    """Observe a batch; if that fails, one by one, so that only the culprit is lost."""
    if not audible:
        return []
    try:
        found = assignment.evaluator.observe(
            [waveform for _, _, waveform in audible], [clip for _, clip, _ in audible]
        )
        if len(found) != len(audible):
            raise RuntimeError(f"{len(found)} observations of {len(audible)} clips")
    except Exception as error:
        if len(audible) == 1:
            codec, clip, _ = audible[0]
            return [_lost(assignment, codec, clip, error)]
        return [one for each in audible for one in _together(assignment, [each])]
    return [
        _judged(assignment, codec, clip, observed)
        for (codec, clip, _), observed in zip(audible, found, strict=True)
    ]


def _in_workers(
    assignment: Assignment, work: Sequence[_Work], cache: AudioCache, executor: Executor
) -> Iterator[list[Observation]]:
    evaluator = assignment.evaluator
    assert isinstance(evaluator, WorkerEvaluator)
    listen: Callable[[Waveform], dict[str, Any]] = resolve(evaluator.listen)
    sent: dict[int, _Work] = {}
    made: list[Observation] = []

    def waveforms() -> Iterator[Waveform]:
        for codec, clip in work:
            try:
                waveform = _waveform(assignment, codec, clip, cache)
            except Exception as error:
                made.append(_lost(assignment, codec, clip, error))
                continue
            sent[len(sent)] = (codec, clip)
            yield waveform

    for index, outcome in executor.map(listen, waveforms()):
        codec, clip = sent[index]
        if isinstance(outcome, Failure):
            made.append(_lost(assignment, codec, clip, outcome.reason))
        else:
            made.append(_judged(assignment, codec, clip, outcome))
        if len(made) >= _WRITTEN_AT_ONCE:
            # The producing thread may add to the list meanwhile: take what is there, no more.
            ready = [made.pop() for _ in range(len(made))]
            yield ready
    if made:
        yield made


def _waveform(assignment: Assignment, codec: Decoded, clip: Clip, cache: AudioCache) -> Waveform:
    if codec is ORIGINALS:
        return assignment.evaluator.bring(*_original(assignment.items[clip.id]))
    key = (codec.codec_id, clip.id)
    if key not in cache:
        raise InputError(codec.lost.get(clip.id, "not decoded"))
    return assignment.evaluator.bring(*cache.get(key))


def _original(item: Item) -> tuple[NDArray[np.float64], int]:
    if item.problem is not None:
        raise InputError(item.problem)
    return read_reference(item)


def _judged(
    assignment: Assignment, codec: Decoded, clip: Clip, observed: Mapping[str, Any]
) -> Observation:
    try:
        judged = assignment.task.judge(observed, clip)
    except Exception as error:
        return _lost(assignment, codec, clip, error)
    return _record(assignment, codec, clip, judged, "ok", None)


def _lost(
    assignment: Assignment, codec: Decoded, clip: Clip, error: Exception | str
) -> Observation:
    known = isinstance(error, InputError | OSError | str)
    reason = str(error) if known else f"{type(error).__name__}: {error}"
    return _record(assignment, codec, clip, None, "failed", reason)


def _record(
    assignment: Assignment,
    codec: Decoded,
    clip: Clip,
    observed: dict[str, Any] | None,
    status: Status,
    reason: str | None,
) -> Observation:
    return Observation(
        schema=SCHEMA,
        kind="observation",
        key=assignment.key(codec.codec_id, clip),
        codec=codec.name,
        codec_id=codec.codec_id,
        weights=codec.weights,
        source=assignment.source,
        utterance=clip.id,
        audio_sha256=assignment.items[clip.id].audio_sha256,
        task=assignment.task.name,
        evaluator=assignment.label,
        evaluator_id=assignment.evaluator_id,
        observed=observed,
        status=status,
        reason=reason,
    )
