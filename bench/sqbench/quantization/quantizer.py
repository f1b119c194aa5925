"""What every quantizer of the bench is: latents in, values and codes out, losses of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sqbench.quantization.draws import Draws

Estimate = Callable[[Tensor, Tensor, "Quantizer"], Tensor]
"""``(z, q, stage)`` to the training forward: latents as quantized, what became of them, by whom."""


@dataclass(frozen=True, kw_only=True)
class Quantized:
    """One pass through a quantizer.

    Attributes:
        value: what the decoder gets ``[S, N, D]``: the codes' values, or the estimator's.
        index: one code a frame ``[S, N]``, int64, stages joined.
        z: latents as they are quantized, bounded where the quantizer bounds ``[S, N, D]``.
        q: the codes' values ``[S, N, D]``.
        loss: of codebook, commitment and entropy ``[S]``.
    """

    value: Tensor
    index: Tensor
    z: Tensor
    q: Tensor
    loss: Tensor


class Quantizer(nn.Module):
    """Base class.

    Attributes:
        size: how many codes there are.
        scalar: whether each channel has levels, ``grid()``, a ``step`` apart.
    """

    size: int
    scalar = False
    step: float

    def grid(self) -> Tensor:
        """The levels of each channel ``[D, L]``; scalar quantizers have them."""
        raise NotImplementedError

    def part(self, rows: slice) -> Quantizer:
        """What the quantizer is to these of its stacked rows."""
        return self

    def initialise(self, z: Tensor, draws: Draws) -> None:
        """Start from latents ``[S, n, D]`` of the untrained encoder."""

    def after_step(self) -> None:
        """Follow the batch that was just trained on."""

    def restart(self, draws: Draws) -> None:
        """Give codes that were not used since the last call a latent of the last batch."""


def zero_loss(z: Tensor) -> Tensor:
    """No loss, for each seed ``[S]``."""
    return torch.zeros(len(z))
