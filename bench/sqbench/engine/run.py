"""A run: codecs over utterances, utterances to workers, measurements to the store."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from sqbench import audio
from sqbench.counting import count
from sqbench.engine.cache import ON_DISK, Spool
from sqbench.engine.hearing import Memory
from sqbench.engine.jobs import Job, key_of, missing, with_heard
from sqbench.engine.loading import load, why
from sqbench.engine.measure import ArrayTask, measure_all
from sqbench.engine.monitor import Monitor
from sqbench.engine.observations import Decoded
from sqbench.engine.plan import Outcome, Plan
from sqbench.engine.pool import Executor
from sqbench.engine.predict import Keep, observe, unheard
from sqbench.engine.reconstruct import Coded, Lost, Reconstruction, reconstruct
from sqbench.engine.records import Form
from sqbench.errors import InputError
from sqbench.metrics.base import Status
from sqbench.store.provenance import environment
from sqbench.store.reader import Store
from sqbench.store.record import SCHEMA, Record, codec_id
from sqbench.store.writer import RunWriter
from sqbench_codecs import Codec

BATCH_BYTES = 1 << 26
"""Encoded bytes that a codec is handed at once: half an hour of 16-bit audio at 16 kHz."""


def execute(plan: Plan, store: Store, executor: Executor, monitor: Monitor) -> Outcome:
    """Compute what is missing; records are on the disk as they come.

    Raises:
        InputError: no codec could be loaded, or the results cannot be written.
    """
    outcome = Outcome()
    known = {record["key"]: record["status"] for record in store.records}
    writer: RunWriter | None = None
    described: list[dict[str, Any]] = []
    seen: set[str] = set()
    pending: list[Decoded] = []
    heard_keys = set() if plan.options.force else set(store.done_keys)
    memory = Memory(() if plan.options.force else store.observations)
    with _Late() as late, Spool() as spool:
        for name in plan.codecs:
            try:
                codec = load(
                    name,
                    weights=plan.options.weights,
                    device=plan.options.device,
                    seed=plan.options.seed,
                )
                description = codec.describe()
                identity = codec_id(description)
            except Exception as error:  # a codec may be anybody's code
                label = name if isinstance(name, str) else name.spec.name
                outcome.unloaded[label] = why(error)
                monitor.note(f"{label}: {why(error)}")
                continue
            if identity in seen:
                continue  # asked for twice, by name and by alias for one
            seen.add(identity)
            if codec.weights.source != "none":
                monitor.note(f"{codec.spec.name}: {codec.weights.label} ({codec.weights.detail})")
            described.append({**description, "codec_id": identity, **_count(codec, monitor)})
            if writer is None:
                writer = late.enter(RunWriter(plan.out, _describe(plan, described)))
            else:
                writer.update(codecs=described)
            jobs = missing(
                identity,
                plan.selection,
                plan.options.protocol,
                store.done_keys,
                force=plan.options.force,
            )
            done = len(plan.selection.items) - len(jobs)
            if plan.options.save_audio and done:
                monitor.note(
                    f"{codec.spec.name}: audio of {done} utterances that are done already is not "
                    "made again; --force does"
                )
            outcome.kept += sum(len(item.metrics) for item in plan.selection.items)
            outcome.kept -= sum(len(job.metrics) for job in jobs)
            decoded = Decoded(name=codec.spec.name, codec_id=identity, weights=codec.weights.label)
            pending.append(decoded)
            heard = unheard(plan.assignments, identity, heard_keys)
            jobs = with_heard(
                jobs, heard.values(), identity, plan.selection.source.name, store.done_keys
            )
            monitor.start(codec.spec.name, len(jobs), len(plan.utterances))
            keep = Keep(spool, decoded, frozenset(heard))
            computed: dict[str, Status] = {}
            for records in _records(codec, identity, jobs, plan, executor, writer.path, keep):
                writer.append(records)
                scores = [record for record in records if record["kind"] == "score"]
                outcome.computed += len(scores)
                computed.update((record["key"], record["status"]) for record in scores)
                monitor.scored(codec.spec.name, records)
            outcome.failed += _count_failed(identity, plan, known | computed)
            del codec
            gc.collect()
            if spool.bytes > ON_DISK:
                _observe(
                    plan, pending, spool, heard_keys, memory, executor, monitor, writer, outcome
                )
        if writer is not None and plan.assignments:
            _observe(plan, pending, spool, heard_keys, memory, executor, monitor, writer, outcome)
    if len(outcome.unloaded) == len(plan.codecs):
        raise InputError("; ".join(outcome.unloaded.values()))
    return outcome


def _observe(
    plan: Plan,
    codecs: list[Decoded],
    spool: Spool,
    done: set[str],
    memory: Memory,
    executor: Executor,
    monitor: Monitor,
    writer: RunWriter,
    outcome: Outcome,
) -> None:
    """Have every evaluator hear what the codecs made, and forget it."""
    made = failed = 0
    for observations in observe(plan.assignments, codecs, spool, done, memory, executor, monitor):
        writer.append(observations)
        made += len(observations)
        failed += sum(one["status"] != "ok" for one in observations)
    clips = sum(len(assignment.data.clips) for assignment in plan.assignments)
    originals = clips if not outcome.observed + outcome.observed_kept else 0
    outcome.observed += made
    outcome.observed_kept += originals + clips * len(codecs) - made
    outcome.unheard += failed
    codecs.clear()
    spool.clear()


class _Late:
    """Holds a run writer that is opened only once there is something to write."""

    def __init__(self) -> None:
        self._writer: RunWriter | None = None

    def __enter__(self) -> _Late:
        return self

    def enter(self, writer: RunWriter) -> RunWriter:
        self._writer = writer.__enter__()
        return self._writer

    def __exit__(self, *error: Any) -> None:
        (self._writer or nullcontext()).__exit__(*error)


def _count(codec: Codec, monitor: Monitor) -> dict[str, float | None]:
    """Operations and parameters; a network that cannot be counted has none, and is still scored."""
    try:
        return count(codec)
    except Exception as error:  # a network may be anybody's code
        monitor.note(f"{codec.spec.name}: operations not counted: {why(error)}")
        return {"macs_g": None, "params_m": None}


def _describe(plan: Plan, codecs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "command": plan.options.command,
        "seed": plan.options.seed,
        "suite": plan.options.suite,
        "protocol": plan.options.protocol,
        "metrics": {metric.name: metric.version for metric in plan.metrics.values()},
        "codecs": codecs,
        "source": plan.selection.describe(),
        "tasks": {each.task.name: each.describe() for each in plan.assignments},
        "settings": {
            "device": plan.options.device,
            "batch_size": plan.options.batch_size,
            "resampler": audio.RESAMPLER,
            "channels": "first",
        },
        "environment": environment(),
    }


def _records(
    codec: Codec,
    identity: str,
    jobs: Sequence[Job],
    plan: Plan,
    executor: Executor,
    run: Path,
    keep: Keep,
) -> Iterator[list[Record]]:
    """Records of each job, as they are measured."""
    sent: dict[int, tuple[Job, Coded]] = {}
    ready: list[list[Record]] = []  # without measuring: lost, or asked for by evaluators only
    references = plan.references
    form = Form(codec, identity, plan.selection.source.name, plan.options.protocol)

    def tasks(some: Sequence[Job]) -> Iterator[ArrayTask]:
        number = 0
        for batch in _batches(some, plan.options.batch_size):
            readable = [job for job in batch if job.item.problem is None]
            for job in batch:
                if job.item.problem is not None:
                    keep.codec.lost[job.item.utterance.id] = job.item.problem
                    ready.append(form.lost(job, job.item.problem))
            outcomes = reconstruct(codec, [job.item.utterance for job in readable])
            for job, outcome in zip(readable, outcomes, strict=True):
                if isinstance(outcome, Lost):
                    keep.codec.lost[job.item.utterance.id] = outcome.reason
                    ready.append(form.lost(job, outcome.reason))
                    continue
                keep.put(outcome)
                if plan.options.save_audio:
                    _save(run, codec, outcome)
                if not job.metrics:
                    ready.append(form.done(job, outcome.coded, ()))
                    continue
                # Not the arrays: they go to a worker and are not needed here again.
                sent[number] = (job, outcome.coded)
                number += 1
                yield ArrayTask(
                    reference=outcome.reference,
                    reference_rate=outcome.reference_rate,
                    estimate=outcome.estimate,
                    estimate_rate=outcome.estimate_rate,
                    metrics=tuple(references[metric.name] for metric in job.metrics),
                    protocol=plan.options.protocol,
                )

    if any(job.metrics for job in jobs):
        for index, measured in measure_all(executor, tasks(jobs)):
            while ready:
                yield ready.pop()
            yield form.done(*sent.pop(index), measured)
    else:
        for batch in _batches(jobs, plan.options.batch_size):
            assert not list(tasks(batch)), "there was nothing to measure"
            while ready:
                yield ready.pop()
    while ready:
        yield ready.pop()


def _batches(jobs: Sequence[Job], size: int) -> Iterator[Sequence[Job]]:
    """Up to ``size`` jobs, fewer where they are large: a batch is in memory as a whole."""
    batch: list[Job] = []
    for job in jobs:
        if batch and (len(batch) == size or sum(j.item.bytes for j in [*batch, job]) > BATCH_BYTES):
            yield batch
            batch = []
        batch.append(job)
    if batch:
        yield batch


def _save(run: Path, codec: Codec, outcome: Reconstruction) -> None:
    name = outcome.utterance.id
    for extension in audio.EXTENSIONS:
        name = name.removesuffix(extension)
    path = run / "audio" / codec.spec.name / f"{name}.wav"
    audio.write(path, outcome.estimate, outcome.estimate_rate)


def _count_failed(identity: str, plan: Plan, statuses: dict[str, Status]) -> int:
    """Scores of the plan that are not there, whichever run tried."""
    source = plan.selection.source.name
    return sum(
        statuses.get(key_of(identity, source, item, metric, plan.options.protocol))
        not in ("ok", "identical")
        for item in plan.selection.items
        for metric in item.metrics
    )
