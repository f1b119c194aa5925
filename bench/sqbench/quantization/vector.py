"""Quantizers of vectors: a trained, averaged or transformed codebook, and cascades of them."""

from __future__ import annotations

import copy
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sqbench.quantization.draws import Draws
from sqbench.quantization.quantizer import Estimate, Quantized, Quantizer, zero_loss

Codebook = Literal["loss", "ema", "end-to-end", "transform"]
_EMA = 0.95
_FEW = 1e-3
"""Of an averaged count: less than this is no use."""


class VectorQuantizer(Quantizer):
    """The nearest of ``size`` codes.

    Args:
        seeds: how many are stacked.
        codebook: how codes follow the latents: ``loss`` (``|sg z - c|^2``), ``ema`` (averages of
            the latents that chose them), ``end-to-end`` (the estimator's gradient), or
            ``transform`` (SimVQ, Zhu et al. 2024: a frozen codebook times a learned matrix, with
            the loss).
        commitment: weight of ``|z - sg c|^2``; one number, or ``[S]``.
        codebook_weights: of the codebook's loss ``[S]``, 0 where the estimator trains the codes
            itself; 1 where not given.
        cosine: look up by angle, and return the code as it is (DAC).
    """

    def __init__(
        self,
        seeds: int,
        width: int,
        size: int,
        *,
        codebook: Codebook,
        commitment: float | Tensor = 0.0,
        codebook_weights: Tensor | None = None,
        cosine: bool = False,
    ) -> None:
        super().__init__()
        self.width, self.size, self.codebook = width, size, codebook
        self.commitment, self.codebook_weights = commitment, codebook_weights
        self.cosine, self.rows = cosine, slice(None)
        self.table = nn.Parameter(
            torch.zeros(seeds, size, width), requires_grad=codebook in ("loss", "end-to-end")
        )
        if codebook == "transform":
            self.transform = nn.Parameter(torch.eye(width).repeat(seeds, 1, 1))
        self.counts = torch.ones(seeds, size)
        self.sums = torch.zeros(seeds, size, width)
        self.used = torch.zeros(seeds, size)
        self.last: tuple[Tensor, Tensor] | None = None

    def codes(self) -> Tensor:
        """The codebook ``[S, size, width]``."""
        table = self.table[self.rows]
        return table @ self.transform[self.rows] if self.codebook == "transform" else table

    def part(self, rows: slice) -> VectorQuantizer:
        view = copy.copy(self)
        view.rows = rows
        return view

    def initialise(self, z: Tensor, draws: Draws) -> None:
        with torch.no_grad():
            if self.codebook == "transform":
                self.table.copy_(draws.normal(self.size, self.width))
                return
            self.table.copy_(_picked(z, draws.integers(z.shape[1], self.size)))
            self.sums.copy_(self.table)

    def compared(self, x: Tensor) -> Tensor:
        """What of latents or codes is looked up: their directions where that is by angle."""
        return F.normalize(x, dim=-1) if self.cosine else x

    def distances(self, z: Tensor) -> Tensor:
        """Squared distances ``[S, N, size]`` of what is compared."""
        z, codes = self.compared(z), self.compared(self.codes())
        lengths = codes.square().sum(-1)[:, None] + z.square().sum(-1, keepdim=True)
        return torch.baddbmm(lengths, z, codes.mT, alpha=-2)

    def nearest(self, z: Tensor) -> Tensor:
        """Indices ``[S, N]`` of the codes that are nearest."""
        codes = self.compared(self.codes())
        # Without the latents' own length, which all codes share; and by `min`, as `argmin` takes
        # twice its time on a CPU.
        bias = codes.square().sum(-1)[:, None]
        return torch.baddbmm(bias, self.compared(z), codes.mT, alpha=-2).min(-1).indices

    def forward(
        self, z: Tensor, estimate: Estimate | None = None, dither: Tensor | None = None
    ) -> Quantized:
        with torch.no_grad():
            index = self.nearest(z)
        q = _picked(self.codes(), index)
        if estimate is not None:
            self.last = z.detach(), index
        value = q if estimate is None else estimate(z, q, self)
        return Quantized(value=value, index=index, z=z, q=q, loss=self._loss(z, q))

    def _loss(self, z: Tensor, q: Tensor) -> Tensor:
        loss = zero_loss(z)
        if self.codebook in ("loss", "transform"):
            own = (z.detach() - q).square().mean((1, 2))
            loss = loss + (own if self.codebook_weights is None else self.codebook_weights * own)
        if isinstance(self.commitment, Tensor) or self.commitment:
            loss = loss + self.commitment * (z - q.detach()).square().mean((1, 2))
        return loss

    @torch.no_grad()
    def after_step(self) -> None:
        assert self.last is not None
        z, index = self.last
        counts = torch.zeros_like(self.counts)
        counts.scatter_add_(1, index, torch.ones_like(z[..., 0]))
        self.used += counts
        if self.codebook == "ema":
            sums = torch.zeros_like(self.sums)
            sums.scatter_add_(1, index[..., None].expand_as(z), z)
            self.counts.lerp_(counts, 1 - _EMA)
            self.sums.lerp_(sums, 1 - _EMA)
            known = self.counts[..., None] > _FEW
            self.table.copy_(torch.where(known, self.sums / self.counts[..., None], self.table))

    @torch.no_grad()
    def restart(self, draws: Draws) -> None:
        assert self.last is not None
        z, _ = self.last
        dead = self.used == 0
        self.used.zero_()
        if self.codebook == "transform":
            return
        fresh = _picked(z, draws.integers(z.shape[1], self.size))
        self.table.copy_(torch.where(dead[..., None], fresh, self.table))
        self.sums.copy_(torch.where(dead[..., None], fresh, self.sums))
        self.counts.masked_fill_(dead, 1.0)


class ResidualQuantizer(Quantizer):
    """A cascade: each stage quantizes what the stages before it left; one estimator for the sum.

    Args:
        dropout: while training, each frame keeps a random number of stages.
    """

    def __init__(self, stages: list[VectorQuantizer], dropout: Draws | None = None) -> None:
        super().__init__()
        self.stages: nn.ModuleList = nn.ModuleList(stages)
        self.size = stages[0].size ** len(stages)
        self.dropout = dropout

    def initialise(self, z: Tensor, draws: Draws) -> None:
        for stage in self._each():
            stage.initialise(z, draws)
            z = z - stage(z).q.detach()

    def forward(
        self, z: Tensor, estimate: Estimate | None = None, dither: Tensor | None = None
    ) -> Quantized:
        kept = torch.full(z.shape[:-1], len(self.stages))
        if self.dropout is not None and estimate is not None:
            kept = 1 + self.dropout.integers(len(self.stages), z.shape[1])
        total, loss = torch.zeros_like(z), zero_loss(z)
        whole = torch.zeros_like(z)
        index = torch.zeros(z.shape[:-1], dtype=torch.int64)
        for number, stage in enumerate(self._each()):
            # The identity in place of the estimator, so that the stage keeps the batch.
            part = stage(z - whole, _identity if estimate is not None else None)
            whole = whole + part.q.detach()
            total = total + part.q * (number < kept)[..., None]
            index, loss = index * stage.size + part.index, loss + part.loss
        value = total if estimate is None else estimate(z, total, self)
        return Quantized(value=value, index=index, z=z, q=total, loss=loss)

    def after_step(self) -> None:
        for stage in self._each():
            stage.after_step()

    def restart(self, draws: Draws) -> None:
        for stage in self._each():
            stage.restart(draws)

    def _each(self) -> list[VectorQuantizer]:
        return list(self.stages)  # type: ignore[arg-type]


class ProjectedQuantizer(ResidualQuantizer):
    """DAC's cascade (Kumar et al. 2023): each stage projects to its codes' width and back.

    The estimator works inside each stage, and its gradient passes on to the residual.
    """

    def __init__(self, draws: Draws, width: int, stages: list[VectorQuantizer]) -> None:
        super().__init__(stages)
        inner = stages[0].width
        self.down = nn.ParameterList(
            [nn.Parameter(draws.normal(width, inner) / width**0.5) for _ in stages]
        )
        self.up = nn.ParameterList(
            [nn.Parameter(draws.normal(inner, width) / inner**0.5) for _ in stages]
        )

    def initialise(self, z: Tensor, draws: Draws) -> None:
        for stage, down, up in zip(self._each(), self.down, self.up, strict=True):
            stage.initialise((z @ down).detach(), draws)
            z = (z - stage(z @ down).q @ up).detach()

    def forward(
        self, z: Tensor, estimate: Estimate | None = None, dither: Tensor | None = None
    ) -> Quantized:
        value, hard, loss = torch.zeros_like(z), torch.zeros_like(z), zero_loss(z)
        index = torch.zeros(z.shape[:-1], dtype=torch.int64)
        for stage, down, up in zip(self._each(), self.down, self.up, strict=True):
            part = stage((z - value) @ down, estimate)
            value, hard = value + part.value @ up, hard + part.q @ up
            index, loss = index * stage.size + part.index, loss + part.loss
        return Quantized(value=value, index=index, z=z, q=hard, loss=loss)


def _picked(table: Tensor, index: Tensor) -> Tensor:
    """Rows ``index [S, N]`` of ``table [S, K, D]``: ``[S, N, D]``."""
    return table.gather(1, index[..., None].expand(-1, -1, table.shape[-1]))


def _identity(z: Tensor, q: Tensor, stage: Quantizer) -> Tensor:
    return z
