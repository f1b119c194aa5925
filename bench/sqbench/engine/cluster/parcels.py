"""Clips on their way to nodes: how many go together, and how their bytes travel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqbench.engine.jobs import Item, Job
from sqbench.engine.scoring import BATCH_BYTES
from sqbench.engine.shards import seconds_of

_ROUNDS = 8
"""Shards that each processor gets of a run, where clips are many: the last ones end together."""

_LEAST_S = 5.0
"""Seconds of audio in a shard, below which a call costs more than it is worth."""


def shards(
    jobs: Sequence[Job], positions: Sequence[int], size: int, processors: int
) -> Iterator[tuple[int, ...]]:
    """Neighbouring jobs in shards of about equal length, by their positions.

    Args:
        size: most clips of a shard.
        processors: of the cluster.
    """
    about = [(seconds_of(jobs[at].item.utterance), jobs[at].item.bytes) for at in positions]
    for group in grouped(about, size, processors):
        yield tuple(positions[at] for at in group)


def grouped(
    clips: Sequence[tuple[float, int]], size: int, processors: int
) -> Iterator[tuple[int, ...]]:
    """Neighbouring clips in groups of about equal length, by index.

    Args:
        clips: seconds and encoded bytes of each.
    """
    most = max(_LEAST_S, sum(seconds for seconds, _ in clips) / (_ROUNDS * processors))
    group: list[int] = []
    length, held = 0.0, 0
    for at, (seconds, more) in enumerate(clips):
        full = length + seconds > most or held + more > BATCH_BYTES
        if group and (len(group) == size or full):
            yield tuple(group)
            group, length, held = [], 0.0, 0
        group.append(at)
        length += seconds
        held += more
    if group:
        yield tuple(group)


def parcel(ray: Any, item: Item) -> Item:
    """An item as it can be sent: by its path, or with its bytes in the object store.

    Raises:
        Exception: whatever fetching the bytes of a clip without a file raises.
    """
    clip = item.utterance
    if clip.path is not None and clip.payload is None:
        if clip.duration is not None and clip.is_whole:
            clip = replace(clip, duration=None)  # a node without the file could not tell
    elif clip.problem is None and not getattr(clip.payload, "anywhere", False):
        # Labels and metrics are not needed there.
        clip = replace(clip, payload=partial(_got, ray.put(clip.content())))
    return Item(clip, item.audio_sha256, (), item.problem, item.bytes)


def _got(ref: Any) -> bytes:
    """The bytes of a clip, on the node that reads them."""
    import ray

    content: bytes = ray.get(ref)
    return content
