"""A run: codecs over utterances, utterances to workers, measurements to the store."""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from sqbench import audio
from sqbench.complexity import count
from sqbench.results.provenance import environment
from sqbench.results.record import SCHEMA, Record, Status, codec_id
from sqbench.results.store import RunWriter, Store
from sqbench.runner.forms import Form
from sqbench.runner.measure import ArrayTask, measure_all
from sqbench.runner.monitor import Monitor
from sqbench.runner.plan import Job, key_of, missing
from sqbench.runner.pool import Executor
from sqbench.runner.reconstruct import Coded, Lost, Reconstruction, reconstruct
from sqbench.runner.request import Outcome, Plan
from sqbench_codecs import Codec
from sqbench_codecs.catalogue import CODECS
from sqcodec.errors import InputError

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
    with _Late() as late:
        for name in plan.codecs:
            _seed(plan.options.seed)
            try:
                codec = _load(name, plan)
                description = codec.describe()
                identity = codec_id(description)
            except Exception as error:  # a codec may be anybody's code
                label = name if isinstance(name, str) else name.spec.name
                outcome.unloaded[label] = _why(error)
                monitor.note(f"{label}: {_why(error)}")
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
            monitor.start(codec.spec.name, len(jobs), len(plan.selection.items))
            done = len(plan.selection.items) - len(jobs)
            if plan.options.save_audio and done:
                monitor.note(
                    f"{codec.spec.name}: audio of {done} utterances that are done already is not "
                    "made again; --force does"
                )
            outcome.kept += sum(len(item.metrics) for item in plan.selection.items)
            outcome.kept -= sum(len(job.metrics) for job in jobs)
            computed: dict[str, Status] = {}
            for records in _records(codec, identity, jobs, plan, executor, writer.path):
                writer.append(records)
                scores = [record for record in records if record["kind"] == "score"]
                outcome.computed += len(scores)
                computed.update((record["key"], record["status"]) for record in scores)
                monitor.scored(codec.spec.name, records)
            outcome.failed += _count_failed(identity, plan, known | computed)
            del codec
            gc.collect()
    if len(outcome.unloaded) == len(plan.codecs):
        raise InputError("; ".join(outcome.unloaded.values()))
    return outcome


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


def _seed(seed: int) -> None:
    """For codecs that draw random numbers; the global generators are all they can share."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def _load(name: str | Codec, plan: Plan) -> Codec:
    if isinstance(name, Codec):
        return name
    return CODECS.get(name).load(weights=plan.options.weights, device=plan.options.device)


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"


def _count(codec: Codec, monitor: Monitor) -> dict[str, float | None]:
    """Operations and parameters; a network that cannot be counted has none, and is still scored."""
    try:
        return count(codec)
    except Exception as error:  # a network may be anybody's code
        monitor.note(f"{codec.spec.name}: operations not counted: {_why(error)}")
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
        "settings": {
            "device": plan.options.device,
            "batch_size": plan.options.batch_size,
            "resampler": audio.RESAMPLER,
            "channels": "first",
        },
        "environment": environment(),
    }


def _records(
    codec: Codec, identity: str, jobs: Sequence[Job], plan: Plan, executor: Executor, run: Path
) -> Iterator[list[Record]]:
    """Records of each job, as they are measured."""
    sent: dict[int, tuple[Job, Coded]] = {}
    lost: list[list[Record]] = []
    references = plan.references
    form = Form(codec, identity, plan.selection.source.name, plan.options.protocol)

    def tasks() -> Iterator[ArrayTask]:
        number = 0
        for batch in _batches(jobs, plan.options.batch_size):
            readable = [job for job in batch if job.item.problem is None]
            lost.extend(
                form.lost(job, job.item.problem) for job in batch if job.item.problem is not None
            )
            outcomes = reconstruct(codec, [job.item.utterance for job in readable])
            for job, outcome in zip(readable, outcomes, strict=True):
                if isinstance(outcome, Lost):
                    lost.append(form.lost(job, outcome.reason))
                    continue
                if plan.options.save_audio:
                    _save(run, codec, outcome)
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

    for index, measured in measure_all(executor, tasks()):
        while lost:
            yield lost.pop()
        yield form.done(*sent.pop(index), measured)
    while lost:
        yield lost.pop()


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
