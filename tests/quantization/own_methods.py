"""Third parties' methods as a user's file would have them, right and wrong."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sqbench.quantization.draws import Draws
from sqbench.quantization.quantizer import Estimate, Quantized, Quantizer, zero_loss


class HalfNoise:
    """Of each value's error half, in a random direction."""

    def __call__(self, z: Tensor, q: Tensor, stage: Any, draws: Draws, progress: float) -> Tensor:
        sign = 2 * draws.uniform(*z.shape[1:]).round() - 1
        return z + 0.5 * sign * (q - z).detach()


class Lattice(Quantizer):
    """The signs of the first channels."""

    scalar = True
    step = 2.0
    estimators = ("ste", "uniform")

    def __init__(self, seeds: int, width: int, bits: int, draws: Draws) -> None:
        super().__init__()
        self.width, self.bits, self.size = width, bits, 2**bits
        self.mix = torch.nn.Parameter(draws.normal(width, bits) / width**0.5)

    def forward(
        self, z: Tensor, estimate: Estimate | None = None, dither: Tensor | None = None
    ) -> Quantized:
        found = z @ self.mix
        digits = (found > 0).long()
        q = ((2.0 * digits - 1) @ self.mix.mT).detach()
        index = (digits << torch.arange(self.bits)).sum(-1)
        value = q if estimate is None else estimate(z, q, self)
        return Quantized(value=value, index=index, z=z, q=q, loss=zero_loss(z))


class NoGradient:
    def __call__(self, z: Tensor, q: Tensor, stage: Any, draws: Draws, progress: float) -> Tensor:
        return q.detach()


class WrongShape:
    def __call__(self, z: Tensor, q: Tensor, stage: Any, draws: Draws, progress: float) -> Tensor:
        return z[:, :1]


class Mixed:
    """What one seed gets depends on the other."""

    def __call__(self, z: Tensor, q: Tensor, stage: Any, draws: Draws, progress: float) -> Tensor:
        return z + (q - z).detach() + 0.1 * z.mean()


class Frozen:
    """Says that it trains the codes, and does not."""

    end_to_end = True

    def __call__(self, z: Tensor, q: Tensor, stage: Any, draws: Draws, progress: float) -> Tensor:
        return z + (q - z).detach()


class Raises:
    def __call__(self, z: Tensor, q: Tensor, stage: Any, draws: Draws, progress: float) -> Tensor:
        raise ZeroDivisionError("three by nothing")


class Neither:
    scalar = vector = False

    def __call__(self, z: Tensor, q: Tensor, stage: Any, draws: Draws, progress: float) -> Tensor:
        return z


class TooMany(Lattice):
    def forward(
        self, z: Tensor, estimate: Estimate | None = None, dither: Tensor | None = None
    ) -> Quantized:
        found = super().forward(z, estimate, dither)
        return Quantized(value=found.value, index=found.index + 99, z=z, q=found.q, loss=found.loss)


number = 3
