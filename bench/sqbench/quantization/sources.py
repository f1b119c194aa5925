"""Sources of known information content: an input, and as target a fixed rotation of it.

All have unit power per component, so that ``SNR = -10 log10(MSE)`` in dB.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from sqbench.quantization.draws import Draws

CORRELATION = 0.9
"""Of successive samples of `Correlated`."""
DEGREES = 5
"""Of freedom of `Student`: the kurtosis is finite, 9 against a normal variable's 3."""
_BLOCK = 256


class SimulatedSource(Protocol):
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


class Correlated(_Independent):
    """A first-order autoregressive normal process; a frame is ``F`` samples in a row.

    Frames of a batch follow each other, as those of audio do: a batch of 128 frames of 4 samples is
    one stretch of 512 samples, started in the process's stationary state.
    """

    def _components(self, draws: Draws, n: int) -> Tensor:
        noise = draws.normal(n * self.width)
        gain = math.sqrt(1 - CORRELATION**2)
        # The recursion as a product, block by block: within a block of L samples the response is a
        # lower triangular matrix of powers; blocks hand on their last sample.
        length = min(_BLOCK, n * self.width)
        steps = torch.arange(length)
        lags = (steps[:, None] - steps).clamp_min(0)
        response = gain * torch.tril((CORRELATION**lags).to(noise))
        decay = (CORRELATION ** (steps + 1)).to(noise)
        last = draws.normal(1)
        parts = []
        for part in torch.split(noise, length, dim=1):
            size = part.shape[1]
            parts.append(part @ response[:size, :size].mT + last * decay[:size])
            last = parts[-1][:, -1:]
        return torch.cat(parts, 1).reshape(-1, n, self.width)


class Student(_Independent):
    """Student's t with one scale a frame: loud and quiet frames, tails heavier than normal ones."""

    def _components(self, draws: Draws, n: int) -> Tensor:
        normal = draws.normal(n, self.width)
        mixed = draws.normal(n, DEGREES).square().sum(-1, keepdim=True)
        return normal * torch.sqrt((DEGREES - 2) / mixed)


SOURCES: dict[str, type[_Independent]] = {
    "gaussian": Gaussian, "uniform": Uniform, "correlated": Correlated, "student": Student,
}  # fmt: skip
"""By name; `Alphabet`, which has bits, apart."""


class Joint:
    """The sources of stacked cells, one after the other on the leading axis.

    Attributes:
        parts: the cells' sources; each draws from its own rows' generators, as it would alone.
    """

    def __init__(self, parts: Sequence[SimulatedSource], rows: Sequence[slice]) -> None:
        self.parts, self.rows = parts, rows
        self.width = parts[0].width

    def training(self, draws: Draws, n: int) -> tuple[Tensor, Tensor]:
        return self._joined(
            [part.training(draws.part(r), n) for part, r in zip(self.parts, self.rows, strict=True)]
        )

    def evaluation(self, draws: Draws, n: int) -> tuple[Tensor, Tensor]:
        return self._joined(
            [part.evaluation(draws.part(r), n)
             for part, r in zip(self.parts, self.rows, strict=True)]
        )  # fmt: skip

    @staticmethod
    def _joined(pairs: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        if len(pairs) == 1:
            return pairs[0]
        x, y = zip(*pairs, strict=True)
        return torch.cat(x), torch.cat(y)
