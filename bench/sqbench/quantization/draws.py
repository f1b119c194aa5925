"""Random numbers of several seeds at once: each seed has its own generators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

STREAMS = ("source", "networks", "training", "evaluation", "estimator", "codebook", "diagnostics")


class Draws:
    """Draws of a stream, ``[S, ...]``; what a seed draws does not depend on the others.

    Args:
        seeds: one a leading index.
        stream: one of `STREAMS`; streams of a seed are independent.
    """

    def __init__(self, seeds: Sequence[int], stream: str) -> None:
        self.generators = []
        for seed in seeds:
            sequence = np.random.SeedSequence([seed, STREAMS.index(stream)])
            state = int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
            self.generators.append(torch.Generator().manual_seed(state))

    def part(self, rows: slice) -> Draws:
        """Those of some of the seeds: the same generators, not copies."""
        some = Draws([], STREAMS[0])
        some.generators = self.generators[rows]
        return some

    def normal(self, *shape: int) -> Tensor:
        return torch.stack([torch.randn(*shape, generator=g) for g in self.generators])

    def uniform(self, *shape: int) -> Tensor:
        """In [0, 1)."""
        return torch.stack([torch.rand(*shape, generator=g) for g in self.generators])

    def integers(self, high: int, *shape: int) -> Tensor:
        """0 to ``high - 1``."""
        return torch.stack([torch.randint(high, shape, generator=g) for g in self.generators])
