"""Evaluators over original and decoded audio: one model in memory at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqbench import audio
from sqbench.engine.assignment import Assignment
from sqbench.engine.cache import Spool
from sqbench.engine.hearing import Ear, Memory, content_of
from sqbench.engine.jobs import Item
from sqbench.engine.monitor import Monitor
from sqbench.engine.observations import ORIGINALS, Brought, Decoded, judged, lost
from sqbench.engine.pool import Executor, Failure
from sqbench.engine.reconstruct import Reconstruction
from sqbench.errors import InputError
from sqbench.store.record import Observation
from sqbench.tasks.base import Clip
from sqbench.tasks.evaluators.base import Waveform, WorkerEvaluator

_WRITTEN_AT_ONCE = 16  # observations of a worker evaluator between two writes to the disk

_Work = tuple[Decoded, Clip]


@dataclass(frozen=True)
class Keep:
    """Where a codec's output goes that evaluators will hear: utterances ``wanted``, by id."""

    spool: Spool
    codec: Decoded
    wanted: frozenset[str]

    def put(self, outcome: Reconstruction) -> None:
        if outcome.utterance.id in self.wanted:
            key = (self.codec.codec_id, outcome.utterance.id)
            self.spool.put(key, outcome.estimate, outcome.estimate_rate)


def unheard(
    assignments: Sequence[Assignment], codec_id: str, done: Collection[str]
) -> dict[str, Item]:
    """The utterances of a codec that an evaluator has to hear yet, by id."""
    return {
        clip.id: assignment.items[clip.id]
        for assignment in assignments
        for clip in assignment.missing(codec_id, done)
    }


def observe(
    assignments: Sequence[Assignment],
    codecs: Sequence[Decoded],
    spool: Spool,
    done: set[str],
    memory: Memory,
    executor: Executor,
    monitor: Monitor,
) -> Iterator[list[Observation]]:
    """Observations that are missing, of the originals and of these codecs, as they are made.

    Args:
        spool: holds the decoded audio of every clip that has something missing.
        done: keys of observations that are there; those made are added.
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
        for observations in _made(assignment, work, spool, memory, executor):
            done.update(one["key"] for one in observations)
            monitor.heard(name, observations)
            yield observations


def _made(
    assignment: Assignment,
    work: Sequence[_Work],
    spool: Spool,
    memory: Memory,
    executor: Executor,
) -> Iterator[list[Observation]]:
    evaluator = assignment.evaluator
    try:
        evaluator.load(lambda name: evaluator.bring(*_original(assignment.items[name])))
    except InputError as error:
        # The other tasks go on; the records say why this one has nothing.
        yield [lost(assignment, Brought(codec, clip, None), error) for codec, clip in work]
        return
    ear: Ear[Brought] = Ear(evaluator, memory)
    try:
        if isinstance(evaluator, WorkerEvaluator):
            yield from _in_workers(assignment, evaluator, work, spool, ear, executor)
        else:
            yield from _here(assignment, work, spool, ear)
    finally:
        evaluator.close()


def _here(
    assignment: Assignment, work: Sequence[_Work], spool: Spool, ear: Ear[Brought]
) -> Iterator[list[Observation]]:
    size = assignment.evaluator.batch_size
    for start in range(0, len(work), size):
        heard: list[Observation] = []
        fresh: dict[str, tuple[Waveform, Clip]] = {}
        for codec, clip in work[start : start + size]:
            found = _to_hear(assignment, codec, clip, spool, ear, heard)
            if found is not None:
                key, waveform = found
                fresh[key] = (waveform, clip)
        said = _together(assignment, list(fresh.values()))
        for key, outcome in zip(fresh, said, strict=True):
            heard += _told(assignment, ear, key, outcome)
        yield heard


def _together(
    assignment: Assignment, audible: Sequence[tuple[Waveform, Clip]]
) -> list[Mapping[str, Any] | Exception]:
    """Observe a batch; if that fails, one by one, so that only the culprit is lost."""
    if not audible:
        return []
    try:
        found = assignment.evaluator.observe(
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
    spool: Spool,
    ear: Ear[Brought],
    executor: Executor,
) -> Iterator[list[Observation]]:
    sent: list[str] = []
    heard: list[Observation] = []

    def waveforms() -> Iterator[Waveform]:
        for codec, clip in work:
            found = _to_hear(assignment, codec, clip, spool, ear, heard)
            if found is not None:
                key, waveform = found
                sent.append(key)
                yield waveform

    for index, outcome in executor.map(evaluator.listener(), waveforms()):
        said = outcome.reason if isinstance(outcome, Failure) else outcome
        heard += _told(assignment, ear, sent[index], said)
        if len(heard) >= _WRITTEN_AT_ONCE:
            # The producing thread may add to the list meanwhile: take what is there, no more.
            ready = [heard.pop() for _ in range(len(heard))]
            yield ready
    if heard:
        yield heard


def _to_hear(
    assignment: Assignment,
    codec: Decoded,
    clip: Clip,
    spool: Spool,
    ear: Ear[Brought],
    heard: list[Observation],
) -> tuple[str, Waveform] | None:
    """Samples that are to be heard, with their key.

    Nothing where equal ones are being heard, are known already, or there are none: ``heard`` then
    has the observation, now or when `_told` is.
    """
    try:
        waveform = _waveform(assignment, codec, clip, spool)
        content = content_of(waveform, assignment.evaluator.sample_rate)
    except Exception as error:
        heard.append(lost(assignment, Brought(codec, clip, None), error))
        return None
    who = Brought(codec, clip, content)
    answer = ear.ask(content, clip, who)
    if answer.said is not None:
        heard.append(judged(assignment, who, answer.said))
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


def _waveform(assignment: Assignment, codec: Decoded, clip: Clip, spool: Spool) -> Waveform:
    if codec is ORIGINALS:
        return assignment.evaluator.bring(*_original(assignment.items[clip.id]))
    key = (codec.codec_id, clip.id)
    if key not in spool:
        raise InputError(codec.lost.get(clip.id, "not decoded"))
    return assignment.evaluator.bring(*spool.get(key))


def _original(item: Item) -> tuple[NDArray[np.float64], int]:
    if item.problem is not None:
        raise InputError(item.problem)
    clip = item.utterance
    samples, rate = audio.read(clip.path or clip.content(), name=str(clip.path or clip.id))
    return audio.first_channel(samples), rate
