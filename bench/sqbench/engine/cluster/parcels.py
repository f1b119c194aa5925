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
    seconds = {at: seconds_of(jobs[at].item.utterance) for at in positions}
    most = max(_LEAST_S, sum(seconds.values()) / (_ROUNDS * processors))
    shard: list[int] = []
    length, held = 0.0, 0
    for at in positions:
        more = jobs[at].item.bytes
        full = length + seconds[at] > most or held + more > BATCH_BYTES
        if shard and (len(shard) == size or full):
            yield tuple(shard)
            shard, length, held = [], 0.0, 0
        shard.append(at)
        length += seconds[at]
        held += more
    if shard:
        yield tuple(shard)


def parcel(ray: Any, item: Item) -> Item:
    """An item as it can be sent: by its path, or with its bytes in the object store.

    Raises:
        Exception: whatever fetching the bytes of a clip without a file raises.
    """
    clip = item.utterance
    if clip.path is not None and clip.payload is None:
        if clip.duration is not None and clip.is_whole:
            clip = replace(clip, duration=None)  # a node without the file could not tell
    elif clip.problem is None:
        # Labels and metrics are not needed there.
        clip = replace(clip, payload=partial(_got, ray.put(clip.content())))
    return Item(clip, item.audio_sha256, (), item.problem, item.bytes)


def _got(ref: Any) -> bytes:
    """The bytes of a clip, on the node that reads them."""
    import ray

    content: bytes = ray.get(ref)
    return content
