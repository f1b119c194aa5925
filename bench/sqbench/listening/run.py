"""Codecs over a few clips whose audio is kept, for people to hear; scored as in a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sqbench.data.base import Source, Utterance
from sqbench.engine.jobs import Item, Job, Keys, item_of
from sqbench.engine.measure import ArrayTask, measure_all
from sqbench.engine.monitor import Monitor
from sqbench.engine.options import Options
from sqbench.engine.pool import Executor
from sqbench.engine.records import RecordBuilder
from sqbench.engine.systems.base import Lost, Reconstruction, System, read_reference, why
from sqbench.engine.systems.opening import open_system
from sqbench.errors import InputError
from sqbench.metrics.protocol import DEFAULT
from sqbench.store.record import Record
from sqbench.suites import metrics_of
from sqbench_codecs import Codec, CodecSpec, Weights


@dataclass(frozen=True)
class Sound:
    """Samples ``[T]``, full scale at 1.0, and their rate in Hz."""

    samples: NDArray[np.floating]
    rate: int


@dataclass(frozen=True)
class Coder:
    """A codec as it was loaded, without its network."""

    codec_id: str
    spec: CodecSpec
    weights: Weights


@dataclass(frozen=True)
class Version:
    """What a codec made of a clip.

    Attributes:
        sound: at the codec's rate; ``None`` where the clip did not get through.
        records: of its coding, and of each metric, as in a run's results.
    """

    coder: Coder
    sound: Sound | None
    records: tuple[Record, ...]

    @property
    def complete(self) -> bool:
        return all(record["status"] in ("ok", "identical") for record in self.records)


@dataclass
class Clip:
    """An excerpt and what codecs made of it.

    Attributes:
        original: its first channel; ``None`` where it could not be read, as ``problem`` says.
        versions: in the order of the codecs.
    """

    item: Item
    original: Sound | None
    problem: str | None
    versions: list[Version] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Clips and codecs, all versions of each.

    Attributes:
        seconds: the most of a clip that was coded and scored.
        unloaded: codecs that could not be loaded, with the reason.
    """

    source: Source
    protocol: str
    seconds: float
    clips: Sequence[Clip]
    coders: Sequence[Coder]
    unloaded: dict[str, str]

    @property
    def complete(self) -> bool:
        """Whether every codec has audio and every score of every clip."""
        versions = [version for clip in self.clips for version in clip.versions]
        return not self.unloaded and all(version.complete for version in versions)


def listen(
    codecs: Sequence[str | Codec],
    source: Source,
    utterances: Sequence[Utterance],
    executor: Executor,
    monitor: Monitor,
    *,
    seconds: float = 10.0,
    weights: str = "auto",
    device: str = "cpu",
    seed: int = 0,
    score: bool = True,
) -> Listening:
    """Code and score the beginning of each utterance; one codec in memory at a time.

    Args:
        codecs: registry names, ``file.py:Class``, or loaded codecs.
        utterances: of ``source``.
        seconds: at most so much of each utterance, from its beginning.
        weights: of codecs given by name: ``auto``, ``official``, ``bundled`` or a path.
        seed: of the random numbers of codecs that draw some.
        score: whether to measure what is coded, by the signal metrics.

    Raises:
        InputError: ``seconds`` is not above 0, no clip can be read, or no codec be loaded. One clip
            or one codec among others is none: it is named in what is returned.
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise InputError("seconds", expected="a number above 0", found=f"{seconds:g}")
    metrics = list(metrics_of("signal", None).values()) if score else []
    clips = [_clip(item_of(utterance, metrics), seconds) for utterance in utterances]
    if all(clip.original is None for clip in clips):
        more = f" (and {len(clips) - 1} more clips)" if len(clips) > 1 else ""
        raise InputError(f"{clips[0].problem}{more}" if clips else "no clip to listen to")
    coders: dict[str, Coder] = {}
    unloaded: dict[str, str] = {}
    options = Options(weights=weights, device=device, seed=seed)
    for name in codecs:
        try:
            system = open_system(name, options)
        except Exception as error:  # a codec may be anybody's code
            label = name if isinstance(name, str) else name.spec.name
            unloaded[label] = why(error)
            monitor.note(f"{label}: {why(error)}")
            continue
        with closing(system):
            identity = system.identity
            if identity in coders:
                continue  # asked for twice, by name and by alias for one
            coder = coders[identity] = _coder(system)
            if coder.weights.source != "none":
                monitor.note(f"{system.name}: {coder.weights.label} ({coder.weights.detail})")
            monitor.start(system.name, len(clips), len(clips))
            build = RecordBuilder(system, Keys(identity, source.name, DEFAULT, system.content))
            made: dict[int, Version] = {}
            for at, version in _versions(system, coder, build, clips, seconds, executor):
                made[at] = version
                monitor.scored(system.name, version.records)
            for at, clip in enumerate(clips):
                clip.versions.append(made[at])
    if not coders:
        raise InputError("; ".join(unloaded.values()))
    return Listening(
        source=source,
        protocol=DEFAULT,
        seconds=seconds,
        clips=clips,
        coders=list(coders.values()),
        unloaded=unloaded,
    )


def _clip(item: Item, seconds: float) -> Clip:
    if item.problem is not None:
        return Clip(item, None, item.problem)
    try:
        return Clip(item, Sound(*read_reference(item, seconds)), None)
    except (InputError, OSError) as error:
        return Clip(item, None, str(error))


def _coder(system: System) -> Coder:
    facts = system.description
    spec = CodecSpec(
        name=system.name,
        sample_rate=facts["sample_rate"],
        frame_rate=facts["frame_rate"],
        codebook_sizes=tuple(facts["codebook_sizes"]),
        bitrate_bps=facts["bitrate_bps"],
    )
    return Coder(system.identity, spec, Weights(**facts["weights"]))


def _versions(
    system: System,
    coder: Coder,
    build: RecordBuilder,
    clips: Sequence[Clip],
    seconds: float,
    executor: Executor,
) -> Iterator[tuple[int, Version]]:
    """A version of each clip, with its place among them, as they are measured."""
    sent: dict[int, tuple[int, Job, Reconstruction]] = {}
    unmeasured: list[tuple[int, Version]] = []

    def tasks() -> Iterator[ArrayTask]:
        number = 0
        for at, clip in enumerate(clips):
            job = Job(clip.item, clip.item.metrics, coding=True)
            outcome = _coded(system, clip, seconds)
            if isinstance(outcome, str):
                unmeasured.append((at, Version(coder, None, tuple(build.lost(job, outcome)))))
                continue
            if not job.metrics:
                sound = Sound(outcome.estimate, outcome.estimate_rate)
                records = tuple(build.done(job, outcome.coded, ()))
                unmeasured.append((at, Version(coder, sound, records)))
                continue
            sent[number] = (at, job, outcome)
            number += 1
            yield ArrayTask(
                reference=outcome.reference,
                reference_rate=outcome.reference_rate,
                estimate=outcome.estimate,
                estimate_rate=outcome.estimate_rate,
                metrics=tuple(metric.name for metric in job.metrics),
                protocol=DEFAULT,
            )

    for index, measured in measure_all(executor, tasks()):
        at, job, outcome = sent.pop(index)
        sound = Sound(outcome.estimate, outcome.estimate_rate)
        yield at, Version(coder, sound, tuple(build.done(job, outcome.coded, measured)))
    yield from unmeasured


def _coded(system: System, clip: Clip, seconds: float) -> Reconstruction | str:
    """The clip through the codec, or why it is not to be heard."""
    if clip.original is None:
        return clip.problem or "not read"
    (outcome,) = system.reconstruct(iter([[clip.item]]), seconds=seconds)
    if isinstance(outcome, Lost):
        return outcome.reason
    bad = outcome.estimate.size - int(np.count_nonzero(np.isfinite(outcome.estimate)))
    if bad:
        what = f"{bad} of {outcome.estimate.size} samples NaN or infinite"
        return f"codec {system.name}: decoded audio has {what}"
    return outcome
