"""Encoder, quantizer and decoder of cells of one shape, stacked and trained together by Adam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sqbench.quantization.build import make_quantizer, make_source
from sqbench.quantization.cell import Cell
from sqbench.quantization.custom import bound
from sqbench.quantization.draws import Draws
from sqbench.quantization.estimators import estimate
from sqbench.quantization.networks import Frames
from sqbench.quantization.quantizer import Estimate, Quantized, Quantizer
from sqbench.quantization.sources import Joint


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How everything is trained.

    Attributes:
        hidden: width of the networks' inner layers.
        batch: frames a step.
        restart_every: steps between looks for unused codes, up to ``restart_share`` of all steps.
        start_frames: whose latents codebooks start from.
    """

    hidden: int = 48
    batch: int = 128
    learning_rate: float = 3e-3
    restart_every: int = 50
    restart_share: float = 0.7
    start_frames: int = 2048


class Trainer:
    """Networks of cells times seeds: row ``i * S + j`` is seed ``j`` of cell ``i``.

    Rows share nothing but the time that an operation takes to start: each draws from its own
    generators and has its own weights, so its training is the one that it would have alone, up to
    rounding.

    Args:
        cells: of one `build.shape`.
    """

    def __init__(self, cells: Sequence[Cell], seeds: Sequence[int], setup: Setup | None = None):
        self.cells, self.seeds, self.setup = cells, seeds, setup or Setup()
        self.steps, self.restarts = cells[0].steps, cells[0].restarts
        self.last_restart = self.setup.restart_share * self.steps
        count = len(seeds)
        self.rows = [slice(i * count, (i + 1) * count) for i in range(len(cells))]
        draws = self.draws("source")
        self.source = Joint(
            [make_source(c, draws.part(r)) for c, r in zip(cells, self.rows, strict=True)],
            self.rows,
        )
        weights, hidden = self.draws("networks"), self.setup.hidden
        self.encoder = Frames(weights, cells[0].features, cells[0].latent, hidden)
        self.decoder = Frames(weights, cells[0].latent, cells[0].features, hidden)
        self.quantizer = make_quantizer(cells, count, weights)
        self.own = [c.custom.make() if c.custom and not c.own_quantizer else None for c in cells]
        self.data = self.draws("training")
        self.noise = self.draws("estimator")
        self.codebook = self.draws("codebook")
        start, _ = self.source.training(
            self.codebook, max(self.setup.start_frames, 2 * self.setup.batch)
        )
        with torch.no_grad():
            self.quantizer.initialise(self.encoder(start), self.codebook)
        modules = (self.encoder, self.decoder, self.quantizer)
        self.parameters = [p for m in modules for p in m.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.parameters, lr=self.setup.learning_rate, fused=True)
        self.progress = 0.0

    def draws(self, stream: str) -> Draws:
        """A generator for each row: that of its seed."""
        return Draws([*self.seeds] * len(self.cells), stream)

    def step(self, number: int) -> Tensor:
        """Step ``number``, from 0; returns the loss of each row ``[S]``."""
        self.progress = number / max(1, self.steps - 1)
        x, y = self.source.training(self.data, self.setup.batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(x, y)
        loss.sum().backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.quantizer.after_step()
        done = number + 1
        if self.restarts and done % self.setup.restart_every == 0 and done <= self.last_restart:
            self.quantizer.restart(self.codebook)
        return loss.detach()

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Training loss of each row ``[S]``."""
        coded = self.trained_pass(self.encoder(x))
        error: Tensor = self.decoder(coded.value) - y
        return error.square().mean((1, 2)) + coded.loss

    def trained_pass(self, z: Tensor) -> Quantized:
        """The quantizer with the cells' estimators in it, on encoder outputs."""
        functions = [self._estimate(number) for number in range(len(self.cells))]
        function = functions[0] if len(functions) == 1 else self._each(functions)
        found: Quantized = self.quantizer(z, function, self._dither(z))
        return found

    def hard_pass(self, z: Tensor, dithered: bool = True) -> Quantized:
        """The quantizer as it is used, on encoder outputs; without its dither for probes."""
        found: Quantized = self.quantizer(z, None, self._dither(z) if dithered else None)
        return found

    def _estimate(self, number: int) -> Estimate:
        cell, own = self.cells[number], self.own[number]
        noise = self.noise.part(self.rows[number])
        if own is not None:
            return bound(own, noise, self.progress)
        return estimate(cell.estimator, noise, cell.annealing, self.progress)

    def _each(self, functions: Sequence[Estimate]) -> Estimate:
        def of(z: Tensor, q: Tensor, stage: Quantizer) -> Tensor:
            parts = [
                function(z[rows], q[rows], stage.part(rows))
                for function, rows in zip(functions, self.rows, strict=True)
            ]
            return torch.cat(parts)

        return of

    def _dither(self, z: Tensor) -> Tensor | None:
        if not self.cells[0].info.dithered:
            return None
        return self.noise.uniform(*z.shape[1:]) - 0.5
