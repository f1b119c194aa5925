"""The bench's side of `quantizer_validation.py`: its cells as they are, and nearer to codecs.

The reduced codecs start from networks that were trained without quantizing, and learn at a third of
the bench's rate. A warm toy does the first: its networks train unquantized, then codebooks start
from the latents that these give, and the estimators begin from there. A slow one does the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sqbench.quantization.cell import Cell
from sqbench.quantization.experiment import hard_snr_db
from sqbench.quantization.quantizer import Quantizer
from sqbench.quantization.trainer import Setup, Trainer


@dataclass(frozen=True, kw_only=True)
class Toy:
    """How a toy is trained.

    Attributes:
        source: of the bench.
        warm_steps: without quantizing, before the cells' own steps.
    """

    source: str
    warm_steps: int = 0
    learning_rate: float = Setup.learning_rate


TOYS = {
    "gaussian": Toy(source="gaussian"),
    "correlated": Toy(source="correlated"),
    "student": Toy(source="student"),
    "gaussian, warm": Toy(source="gaussian", warm_steps=900),
    "gaussian, slow": Toy(source="gaussian", learning_rate=1e-3),
}
"""By name; the first is the one that tables show."""


def scores(cells: Sequence[Cell], seeds: Sequence[int], toy: Toy) -> list[list[float]]:
    """SNR with the hard quantizer, dB, of each cell (of one `build.shape`) and seed."""
    trainer = Trainer(cells, seeds, Setup(learning_rate=toy.learning_rate))
    if toy.warm_steps:
        _warm(trainer, toy.warm_steps)
    for number in range(trainer.steps):
        trainer.step(number)
    found = hard_snr_db(trainer)
    return [found[rows].tolist() for rows in trainer.rows]


def _warm(trainer: Trainer, steps: int) -> None:
    def identity(z: Tensor, q: Tensor, stage: Quantizer) -> Tensor:
        return z

    for _ in range(steps):
        x, y = trainer.source.training(trainer.data, trainer.setup.batch)
        trainer.optimizer.zero_grad(set_to_none=True)
        miss: Tensor = trainer.decoder(trainer.quantizer(trainer.encoder(x), identity).value) - y
        torch.autograd.backward(miss.square().mean((1, 2)).sum())
        trainer.optimizer.step()
    start, _ = trainer.source.training(trainer.codebook, trainer.setup.start_frames)
    with torch.no_grad():
        trainer.quantizer.initialise(trainer.encoder(start), trainer.codebook)
    trainer.optimizer = torch.optim.Adam(
        trainer.parameters, lr=trainer.setup.learning_rate, fused=True
    )
