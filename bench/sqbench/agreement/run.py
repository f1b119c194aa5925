"""Scores every stimulus of a table once, in worker processes, into a results folder.

The records are of kind ``rated``, which tables of codecs pass over: a rated stimulus is a file, not
a codec. Running again scores what is missing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, Self

from sqbench import audio
from sqbench.agreement.ratings import Ratings, Stimulus
from sqbench.digest import digest
from sqbench.engine.measure import measure_all
from sqbench.engine.pool import ProcessPool
from sqbench.errors import InputError
from sqbench.metrics import catalogue
from sqbench.metrics.base import Metric
from sqbench.metrics.measure import Measurement, failed, measure_pair
from sqbench.metrics.protocol import DEFAULT, check
from sqbench.store import reader as stores
from sqbench.store.provenance import environment
from sqbench.store.record import SCHEMA, Record
from sqbench.store.writer import RunWriter

KIND: Literal["rated"] = "rated"


class AgreementMonitor(Protocol):
    """Who watches a run."""

    def start(self, todo: int, total: int) -> None:
        """So many stimuli lack scores."""

    def scored(self) -> None:
        """A stimulus is done."""


@dataclass
class Scores:
    """What the metrics say.

    Attributes:
        values: by metric, of each stimulus in the table's order; NaN where there is none.
        reasons: by metric, why there is none, and how often.
        computed, kept: scores of this run and of earlier ones.
    """

    values: dict[str, list[float]] = field(default_factory=dict)
    reasons: dict[str, dict[str, int]] = field(default_factory=dict)
    computed: int = 0
    kept: int = 0

    @property
    def missing(self) -> int:
        """Scores that are not there."""
        return sum(sum(each.values()) for each in self.reasons.values())


@dataclass(frozen=True, kw_only=True)
class FileTask:
    """Two files to measure; picklable."""

    reference: Path
    estimate: Path
    metrics: tuple[str, ...]
    protocol: str

    def run(self) -> list[Measurement]:
        """Read and measure."""
        try:
            reference, estimate = audio.read(self.reference), audio.read(self.estimate)
        except (InputError, OSError) as error:
            return failed(str(error), len(self.metrics))
        return measure_pair(*reference, *estimate, self.metrics, self.protocol)

    def only(self, metric: str) -> Self:
        """The same for one metric."""
        return replace(self, metrics=(metric,))


@dataclass(frozen=True)
class _Hashed:
    stimulus: Stimulus
    reference: str
    estimate: str

    def key(self, metric: Metric, protocol: str) -> str:
        # By content: a stimulus in two tables is one.
        return digest(KIND, self.reference, self.estimate, metric.name, metric.identity, protocol)


def score(
    ratings: Ratings, metrics: Sequence[str], out: Path, monitor: AgreementMonitor, *,
    workers: int = 1, protocol: str = DEFAULT, command: str = "",
) -> Scores:  # fmt: skip
    """Score the stimuli of a table that ``out`` has no scores of.

    Raises:
        InputError: a metric cannot be used, or the folder cannot be written to.
    """
    check(protocol)
    if workers < 1:
        raise InputError("--workers", expected="at least 1", found=str(workers))
    wanted = dict(zip(metrics, catalogue.resolve_all(metrics), strict=True))
    for metric in wanted.values():
        if metric.direction == "none":
            raise InputError(
                f"metric {metric.name!r}", expected="one that has a better end", found="none"
            )
    hashed = [
        _Hashed(stimulus, _sha256(stimulus.reference), _sha256(stimulus.estimate))
        for stimulus in ratings.stimuli
    ]
    store = stores.load(out)
    done = store.done_keys
    jobs = []
    for each in hashed:
        todo = tuple(n for n, m in wanted.items() if each.key(m, protocol) not in done)
        if todo:
            jobs.append((each, todo))
    found = Scores(computed=sum(len(todo) for _, todo in jobs))
    found.kept = len(hashed) * len(wanted) - found.computed
    monitor.start(len(jobs), len(hashed))
    if jobs:
        tasks = [
            FileTask(
                reference=each.stimulus.reference, estimate=each.stimulus.estimate,
                metrics=todo, protocol=protocol,
            )
            for each, todo in jobs
        ]  # fmt: skip
        description = _description(ratings, wanted, protocol, command)
        with (
            RunWriter(out, description) as writer,
            ProcessPool(min(workers, len(jobs))) as pool,
        ):
            for index, measured in measure_all(pool, tasks):
                each, todo = jobs[index]
                writer.append(
                    [
                        _record(each, wanted[name], one, ratings.name, protocol)
                        for name, one in zip(todo, measured, strict=True)
                    ]
                )
                monitor.scored()
        store = stores.load(out)
    by_key = {record["key"]: record for record in store.records if record["kind"] == KIND}
    for metric in wanted.values():
        reasons: dict[str, int] = {}
        found.values[metric.name] = []
        for each in hashed:
            record = by_key.get(each.key(metric, protocol))
            value = record["value"] if record else None
            found.values[metric.name].append(math.nan if value is None else value)
            if value is None:
                reason = (record["reason"] if record else None) or "no record"
                reasons[reason] = reasons.get(reason, 0) + 1
        found.reasons[metric.name] = reasons
    return found


def _sha256(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _record(
    hashed: _Hashed, metric: Metric, measured: Measurement, name: str, protocol: str
) -> Record:
    return Record(
        schema=SCHEMA,
        kind=KIND,
        key=hashed.key(metric, protocol),
        codec=hashed.stimulus.condition,
        codec_id=hashed.estimate[:12],
        weights="none",
        source=name,
        dataset=name,
        category="",
        domain="",
        utterance=hashed.stimulus.item,
        audio_sha256=hashed.reference,
        metric=metric.name,
        metric_version=metric.version,
        metric_identity=metric.identity,
        direction=metric.better,
        protocol=protocol,
        value=measured.value if measured.status == "ok" else None,
        status=measured.status,
        reason=measured.reason,
        duration_s=None,
        bits=None,
        encode_s=None,
        decode_s=None,
    )


def _description(
    ratings: Ratings, metrics: Mapping[str, Metric], protocol: str, command: str
) -> dict[str, Any]:
    """``run.json``; its source selects no utterances, so that tables of codecs pass over it."""
    return {
        "command": command,
        "protocol": protocol,
        "metrics": {},
        "codecs": [],
        "source": {
            "name": ratings.name,
            "location": str(ratings.path.resolve()),
            "selected": 0,
            "total": 0,
            "selection": {},
        },
        "rated": {
            "stimuli": len(ratings.stimuli),
            "metrics": {metric.name: metric.identity for metric in metrics.values()},
        },
        "environment": environment(),
    }
