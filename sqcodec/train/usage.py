"""How much of the codebook training uses."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sqcodec.train.distributed import World


class CodeUsage:
    """Counts codes until `summary` is taken.

    Args:
        codebook_size: of the one codebook.
        device: where codes come from.
    """

    def __init__(self, codebook_size: int, device: torch.device) -> None:
        self.codebook_size = codebook_size
        self.counts = torch.zeros(codebook_size, dtype=torch.long, device=device)

    def add(self, codes: Tensor) -> None:
        """Count codes of any shape."""
        self.counts += torch.bincount(codes.flatten(), minlength=self.codebook_size)

    def summary(self, world: World) -> dict[str, float]:
        """Usage since the last summary, over all processes.

        Returns:
            ``code_usage``: distinct codes over those that as many uniform draws would give on
            average; ``code_perplexity``: exponential of the entropy, which never exceeds the number
            of codes counted. NaN if none were.
        """
        all_counts = world.mean(self.counts.double()) * world.size
        counts = all_counts[all_counts > 0]
        self.counts.zero_()
        total = float(counts.sum())
        if not total:
            return {"code_usage": math.nan, "code_perplexity": math.nan}
        size = self.codebook_size
        expected = size * -math.expm1(total * math.log1p(-1.0 / size))
        share = counts / total
        return {
            "code_usage": len(counts) / expected,
            "code_perplexity": math.exp(-float((share * share.log()).sum())),
        }
