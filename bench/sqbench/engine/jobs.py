"""What there is to do: the records that are not there yet."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqbench.data.base import Source, Utterance
from sqbench.digest import digest
from sqbench.metrics.base import Metric
from sqbench.store.record import coding_key, score_key


@dataclass(frozen=True)
class Item:
    """An utterance of a run: with its hash, and the metrics that its category calls for.

    ``problem`` says why it has no hash (it cannot be read); it fails without being coded.
    ``bytes`` is the size of the encoded clip.
    """

    utterance: Utterance
    audio_sha256: str
    metrics: tuple[Metric, ...]
    problem: str | None = None
    bytes: int = 0


@dataclass(frozen=True)
class Selection:
    """The utterances of a run and what identifies them.

    Attributes:
        total: how many the source has; ``items`` are fewer with a limit.
        sha256: over ids and hashes of the selected.
    """

    source: Source
    items: tuple[Item, ...]
    total: int
    sha256: str

    def describe(self) -> dict[str, Any]:
        """JSON-able, for the run record."""
        location = self.source.location
        expected: dict[str, dict[str, Any]] = {}
        for item in self.items:
            clip = item.utterance
            entry = expected.setdefault(
                clip.dataset, {"category": clip.category, "domain": clip.domain, "utterances": 0}
            )
            entry["utterances"] += 1
        return {
            **self.source.describe(),
            "location": str(Path(location).resolve()) if Path(location).exists() else location,
            "sha256": self.sha256,
            "selection": {
                item.utterance.id: {
                    "sha256": item.audio_sha256,
                    "dataset": item.utterance.dataset,
                    "category": item.utterance.category,
                    "domain": item.utterance.domain,
                }
                for item in self.items
            },
            "expected": expected,
            "total": self.total,
            "selected": len(self.items),
        }


def select(source: Source, metrics: Sequence[Metric], limit: int | None = None) -> Selection:
    """List and hash the utterances of a run; at most ``limit`` of each set."""
    chosen: list[Utterance] = []
    seen: Counter[str] = Counter()
    total = 0
    for utterance in source.utterances():
        total += 1
        seen[utterance.dataset] += 1
        if limit is None or seen[utterance.dataset] <= limit:
            chosen.append(utterance)
    items = tuple(item_of(utterance, metrics) for utterance in chosen)
    sha256 = digest([[item.utterance.id, item.audio_sha256] for item in items])
    return Selection(source, items, total, sha256)


def nothing(source: Source) -> Selection:
    """No utterance: of a run that measures nothing."""
    return Selection(source, (), 0, digest([]))


def item_of(utterance: Utterance, metrics: Sequence[Metric]) -> Item:
    """Hash an utterance; ``metrics`` are those of the run."""
    wanted = tuple(metric for metric in metrics if utterance.category in metric.categories)
    try:
        content = utterance.content()
        return Item(utterance, hashlib.sha256(content).hexdigest(), wanted, bytes=len(content))
    except OSError as error:
        where = utterance.path or utterance.id
        return Item(utterance, "", wanted, f"{where}: cannot be read ({error.strerror or error})")


def key_of(codec_id: str, source: str, item: Item, metric: Metric, protocol: str) -> str:
    """Key of the score record of a metric on an item."""
    return score_key(
        codec_id,
        source,
        item.utterance.id,
        item.audio_sha256,
        metric.name,
        metric.identity,
        protocol,
    )


@dataclass(frozen=True)
class Job:
    """What is missing of one utterance for one codec: metrics, and whether its coding record."""

    item: Item
    metrics: tuple[Metric, ...]
    coding: bool


def with_heard(
    jobs: Sequence[Job], heard: Iterable[Item], codec_id: str, source: str, known: Collection[str]
) -> list[Job]:
    """The jobs, and one for each utterance that only evaluators have to hear."""
    there = {job.item.utterance.id for job in jobs}
    return [
        *jobs,
        *(
            Job(
                item,
                (),
                coding_key(codec_id, source, item.utterance.id, item.audio_sha256) not in known,
            )
            for item in heard
            if item.utterance.id not in there
        ),
    ]


def missing(
    codec_id: str, selection: Selection, protocol: str, done: Iterable[str], *, force: bool = False
) -> list[Job]:
    """The jobs whose records are not in ``done`` (keys), in the order of the source."""
    known = set() if force else set(done)
    name = selection.source.name
    jobs = []
    for item in selection.items:
        metrics = tuple(
            metric
            for metric in item.metrics
            if key_of(codec_id, name, item, metric, protocol) not in known
        )
        coding = coding_key(codec_id, name, item.utterance.id, item.audio_sha256) not in known
        if metrics or coding:
            jobs.append(Job(item, metrics, coding))
    return jobs
