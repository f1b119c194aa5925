"""What there is to do: the records that are not there yet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqbench import audio
from sqbench.data.base import Source, Utterance
from sqbench.data.choose import in_turn
from sqbench.digest import digest
from sqbench.engine.shards import Part, Shard
from sqbench.errors import InputError
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
        part: what of the whole this is, where it is a shard; ``items`` are its own alone.
    """

    source: Source
    items: tuple[Item, ...]
    total: int
    sha256: str
    part: Part | None = None

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


def select(
    source: Source,
    metrics: Sequence[Metric],
    limit: int | None = None,
    hashed: Callable[[int, int], None] = lambda done, total: None,
    shard: Shard | None = None,
) -> Selection:
    """List and hash the utterances of a run.

    Args:
        metrics: those of the run.
        limit: at most that many of each set, of its classes or speakers in turn.
        hashed: told how many clips are hashed, of how many.
        shard: only this part of them, which alone is hashed.
    """
    chosen = list(source.utterances())
    total = len(chosen)
    if limit is not None:
        sets: dict[str, list[Utterance]] = {}
        for utterance in chosen:
            sets.setdefault(utterance.dataset, []).append(utterance)
        kept = {
            utterance.id
            for of_set in sets.values()
            for utterance in in_turn(of_set, limit, lambda clip: first_label(clip.labels))
        }
        chosen = [utterance for utterance in chosen if utterance.id in kept]
    part = None
    if shard is not None:
        part = Part.among(shard, chosen)
        chosen = [utterance for utterance in chosen if utterance.id in part.mine]
    items = []
    for done, utterance in enumerate(chosen, 1):
        items.append(item_of(utterance, metrics))
        hashed(done, len(chosen))
    sha256 = digest([[item.utterance.id, item.audio_sha256] for item in items])
    return Selection(source, tuple(items), total, sha256, part)


_CLASSES = ("emotion", "style", "event", "category", "class", "speaker")


def first_label(labels: Mapping[str, str]) -> str:
    """What class of its set a clip is, as far as the source knows."""
    return next((labels[name] for name in _CLASSES if labels.get(name)), "")


def nothing(source: Source, shard: Shard | None = None) -> Selection:
    """No utterance: of a run that measures nothing."""
    return Selection(source, (), 0, digest([]), None if shard is None else Part.among(shard, []))


def item_of(utterance: Utterance, metrics: Sequence[Metric]) -> Item:
    """Hash an utterance; ``metrics`` are those of the run."""
    wanted = tuple(metric for metric in metrics if metric.is_for(utterance.category))
    try:
        sha256, size = utterance.identity()
        return Item(utterance, sha256, wanted, bytes=size)
    except InputError as error:
        return Item(utterance, "", wanted, str(error))
    except OSError as error:
        path = utterance.path
        where, why = (
            (utterance.id, error.strerror or error)
            if path is None
            else (path, audio.describe_os_error(error, path))
        )
        return Item(utterance, "", wanted, f"{where}: cannot be read ({why})")
    except Exception as error:  # bytes may come from anywhere, and the other clips still count
        why = f"{type(error).__name__}: {error}"
        return Item(utterance, "", wanted, f"{utterance.id}: cannot be fetched ({why})")


class Keys:
    """Keys of the records of one system on one source.

    Args:
        codec_id: the system's identity.
        source: name of the data source.
        protocol: name of the scoring rules.
        content: what a clip's result depends on beyond the identity (`System.content`).
    """

    def __init__(
        self,
        codec_id: str,
        source: str,
        protocol: str,
        content: Callable[[Item], str] = lambda item: "",
    ) -> None:
        self.codec_id, self.source, self.protocol = codec_id, source, protocol
        self._content = content

    def score(self, item: Item, metric: Metric) -> str:
        """Key of the score record of a metric on a clip."""
        return score_key(
            self._of(item),
            self.source,
            item.utterance.id,
            item.audio_sha256,
            metric.name,
            metric.identity,
            self.protocol,
        )

    def coding(self, item: Item) -> str:
        """Key of the coding record of a clip."""
        return coding_key(self._of(item), self.source, item.utterance.id, item.audio_sha256)

    def _of(self, item: Item) -> str:
        content = self._content(item)
        return f"{self.codec_id} {content}" if content else self.codec_id


@dataclass(frozen=True)
class Job:
    """What is missing of one clip: metrics, and whether its coding record."""

    item: Item
    metrics: tuple[Metric, ...]
    coding: bool


def missing(keys: Keys, selection: Selection, done: Collection[str]) -> list[Job]:
    """The jobs whose records are not in ``done`` (keys), in the order of the source."""
    jobs = []
    for item in selection.items:
        metrics = tuple(metric for metric in item.metrics if keys.score(item, metric) not in done)
        coding = keys.coding(item) not in done
        if metrics or coding:
            jobs.append(Job(item, metrics, coding))
    return jobs


def with_unpredicted(
    jobs: Sequence[Job], items: Iterable[Item], keys: Keys, done: Collection[str]
) -> list[Job]:
    """The jobs, and one for each clip that only evaluators have to hear."""
    there = {job.item.utterance.id for job in jobs}
    return [
        *jobs,
        *(
            Job(item, (), keys.coding(item) not in done)
            for item in items
            if item.utterance.id not in there
        ),
    ]
