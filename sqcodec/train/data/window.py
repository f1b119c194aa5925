"""A few shards at a time: which of them crops are drawn from, by how much was heard before.

There is no state: the position follows from the number of the batch, so a resumed run goes on
where it was, and every process of a run finds the same.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sqcodec.train.data.corpus import Clip


class Window:
    """Passes over the shards of one domain, each in an order of its own.

    A shard leaves the window when as much was drawn as it has, on average, so that a pass hears
    about everything once.

    Args:
        clips: of the domain.
        count: shards in the window.
        seed: of the order.
    """

    def __init__(self, clips: Sequence[Clip], count: int, seed: int) -> None:
        self._of: dict[int, list[Clip]] = {}
        for clip in clips:
            self._of.setdefault(clip.shard, []).append(clip)
        self.shards = sorted(self._of)
        self._lengths = {n: sum(clip.length for clip in self._of[n]) for n in self.shards}
        self.total = sum(self._lengths.values())
        self.count, self.seed = min(count, len(self.shards)), seed
        self._last: tuple[tuple[int, ...], list[Clip], NDArray[np.float64]] | None = None

    def at(self, heard: float) -> tuple[list[Clip], NDArray[np.float64]]:
        """The clips to draw from, and their odds, after ``heard`` samples."""
        shards = self.position(heard)
        if self._last is None or self._last[0] != shards:
            # In the order of the corpus, which draws must not depend on.
            clips = sorted((c for n in shards for c in self._of[n]), key=lambda clip: clip.start)
            lengths = np.array([clip.length for clip in clips], float)
            self._last = (shards, clips, lengths / lengths.sum())
        return self._last[1], self._last[2]

    def position(self, heard: float) -> tuple[int, ...]:
        """The shards in the window after so many samples, each once."""
        number, within = divmod(heard, self.total)
        order = self._order(int(number))
        ends = np.cumsum([self._lengths[shard] for shard in order])
        first = min(bisect.bisect_right(ends, within), len(order) - 1)
        # The window reaches into the next pass, whose order is another.
        ahead = dict.fromkeys([*order[first:], *self._order(int(number) + 1)])
        return tuple(list(ahead)[: self.count])

    def _order(self, number: int) -> list[int]:
        rng = np.random.default_rng([self.seed, number, len(self.shards)])
        return [self.shards[i] for i in rng.permutation(len(self.shards))]
