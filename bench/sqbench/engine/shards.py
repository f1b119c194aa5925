"""A part of a run for one of several machines that know nothing of each other: ``--shard 3/8``."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqbench import audio
from sqbench.data.base import Utterance
from sqbench.digest import digest
from sqbench.errors import InputError

_WRITTEN = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True)
class Shard:
    """The ``index``-th, from 1, of ``of`` parts."""

    index: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``3/8``.

        Raises:
            InputError: anything else.
        """
        found = _WRITTEN.fullmatch(text.strip())
        if found is not None and 1 <= int(found[1]) <= int(found[2]):
            return cls(int(found[1]), int(found[2]))
        raise InputError(
            f"shard {text!r}",
            expected="INDEX/COUNT, from 1/8 to 8/8",
            found=repr(text),
        )

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"

    def share(self, utterances: Iterable[Utterance]) -> frozenset[str]:
        """The ids of this part; of all parts together every id, each once.

        Parts take about equally long: the longest clip first, each to the part that has least.
        It depends on ids and lengths alone, so every machine finds the same.
        """
        lengths = sorted((-seconds_of(clip), clip.id) for clip in utterances)
        loads = [(0.0, index) for index in range(1, self.of + 1)]
        mine = set()
        for length, clip in lengths:
            load, index = heapq.heappop(loads)
            # A clip of no length (an unreadable one) is still a piece of work.
            heapq.heappush(loads, (load - length + _EACH_S, index))
            if index == self.index:
                mine.add(clip)
        return frozenset(mine)


_EACH_S = 0.01
"""Seconds of audio that a clip's own overhead is counted as."""


def seconds_of(clip: Utterance) -> float:
    """Length of a clip in seconds, from a header; 0 where it tells none."""
    if clip.duration is not None:
        return clip.duration
    if clip.problem is not None:
        return 0.0
    try:
        source = clip.path if clip.payload is None and clip.path is not None else clip.content()
        found = audio.length_of(source)
    except Exception:  # bytes may come from anywhere; such a clip fails when it is coded
        return 0.0
    return max(0.0, round(found or 0.0, 3) - clip.start)


@dataclass(frozen=True)
class Part:
    """What a run that is a shard knows of the whole.

    Attributes:
        listed: ids of the whole, in order.
        mine: those of this shard.
    """

    shard: Shard
    listed: tuple[str, ...]
    mine: frozenset[str]

    @classmethod
    def among(cls, shard: Shard, utterances: Sequence[Utterance]) -> Part:
        """A shard's part of these clips."""
        listed = tuple(clip.id for clip in utterances)
        return cls(shard, listed, shard.share(utterances))

    def describe(self) -> dict[str, Any]:
        """JSON-able, for the run record: what joining the shards' results needs."""
        return {
            "index": self.shard.index,
            "of": self.shard.of,
            "clips": len(self.listed),
            "list": digest(list(self.listed)),
            "positions": [at for at, clip in enumerate(self.listed) if clip in self.mine],
        }
