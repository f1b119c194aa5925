"""Sources of known information content: an input, and as target a fixed rotation of it.

All have unit power per component, so that ``SNR = -10 log10(MSE)`` in dB.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from sqbench.quantization.draws import Draws


class Source(Protocol):
    """Pairs ``(x, y)`` of ``[S, n, F]`` for S seeds."""

    width: int

    def training(self, draws: Draws, n: int) -> tuple[Tensor, Tensor]:
        """``n`` random pairs."""
        ...

    def evaluation(self, draws: Draws, n: int) -> tuple[Tensor, Tensor]:
        """``n`` pairs that training does not see; of a finite source, every point as often."""
        ...


def rotations(draws: Draws, width: int) -> Tensor:
    """Random orthogonal matrices ``[S, F, F]``: QR of a normal matrix, its signs made unique."""
    q, r = torch.linalg.qr(draws.normal(width, width))
    signs: Tensor = q * torch.sign(torch.diagonal(r, dim1=-2, dim2=-1))[:, None, :]
    return signs


class Alphabet:
    """``2**bits`` fixed points, equally likely: exactly ``bits`` bits a frame suffice.

    Attributes:
        points: ``[S, 2**bits, F]``, of unit mean power.
        targets: the points rotated.
    """

    def __init__(self, draws: Draws, bits: int, width: int) -> None:
        self.width = width
        points = draws.normal(2**bits, width)
        self.points = points / points.square().mean((1, 2), keepdim=True).sqrt()
        self.targets = self.points @ rotations(draws, width)

    def training(self, draws: Draws, n: int) -> tuple[Tensor, Tensor]:
        return self._at(draws.integers(self.points.shape[1], n))

    def evaluation(self, draws: Draws, n: int) -> tuple[Tensor, Tensor]:
        count = self.points.shape[1]
        whole = torch.arange(math.ceil(n / count) * count) % count
        return self._at(whole.expand(len(self.points), -1))

    def _at(self, index: Tensor) -> tuple[Tensor, Tensor]:
        index = index[..., None].expand(-1, -1, self.width)
        return self.points.gather(1, index), self.targets.gather(1, index)


class _Independent:
    """Independent components: no finite number of bits is enough."""

    def __init__(self, draws: Draws, width: int) -> None:
        self.width = width
        self.rotation = rotations(draws, width)

    def training(self, draws: Draws, n: int) -> tuple[Tensor, Tensor]:
        x = self._components(draws, n)
        return x, x @ self.rotation

    def evaluation(self, draws: Draws, n: int) -> tuple[Tensor, Tensor]:
        return self.training(draws, n)

    def _components(self, draws: Draws, n: int) -> Tensor:
        raise NotImplementedError


class Gaussian(_Independent):
    """Standard normal components."""

    def _components(self, draws: Draws, n: int) -> Tensor:
        return draws.normal(n, self.width)


class Uniform(_Independent):
    """Components uniform between plus and minus the root of 3."""

    def _components(self, draws: Draws, n: int) -> Tensor:
        return (2 * draws.uniform(n, self.width) - 1) * math.sqrt(3)
