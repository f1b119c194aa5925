"""From cells to what is trained: sources and quantizers of cells stacked in one network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sqbench.quantization.cell import DAC_WIDTH, LEVELS, Cell
from sqbench.quantization.draws import Draws
from sqbench.quantization.quantizer import Quantizer
from sqbench.quantization.scalar import ScalarQuantizer, SignQuantizer
from sqbench.quantization.sources import SOURCES, Alphabet, SimulatedSource
from sqbench.quantization.vector import (
    Codebook,
    ProjectedQuantizer,
    ResidualQuantizer,
    VectorQuantizer,
)

_BOUNDS = {"sq": "clip", "fsq": "tanh", "ifsq": "sigmoid", "rfsq": "tanh"}


def make_source(cell: Cell, draws: Draws) -> SimulatedSource:
    """The cell's source, for the seeds of ``draws``."""
    if cell.source == "alphabet":
        return Alphabet(draws, cell.source_bits, cell.features)
    return SOURCES[cell.source](draws, cell.features)


def shape(cell: Cell) -> tuple[object, ...]:
    """What cells have in common that may be stacked: everything but source, method and weights."""
    if cell.custom is not None:  # what a third party's file does costs nobody else
        return (cell.identity,)
    return (
        cell.features, cell.latent, cell.quantizer, cell.bits, cell.levels, cell.stages, cell.steps,
        cell.info.dithered, cell.restarts,
        # Whose points are as many as fresh frames only for sizes that are powers of two.
        cell.source_bits if cell.levels else 0,
    )  # fmt: skip


def make_quantizer(cells: Sequence[Cell], seeds: int, draws: Draws) -> Quantizer:
    """The quantizer of cells of one `shape`, ``seeds`` rows each.

    Args:
        draws: one generator a row, for its weights and its dropout.
    """
    cell = cells[0]
    if cell.own_quantizer:
        assert cell.custom is not None
        own: Quantizer = cell.custom.target(seeds, cell.latent, cell.bits, draws)
        return own
    if cell.quantizer in LEVELS:
        return ScalarQuantizer(cell.latent, cell.levels, _BOUNDS[cell.quantizer], cell.stages)
    if cell.quantizer in ("lfq", "bsq"):
        return SignQuantizer(cell.latent, spherical=cell.quantizer == "bsq")
    codebook: Codebook = "loss"
    if cell.quantizer == "vq-ema":
        codebook = "ema"
    elif cell.quantizer == "simvq":
        codebook = "transform"
    end_to_end = [c.info.end_to_end for c in cells]
    weights = None
    if codebook == "loss" and all(end_to_end):
        codebook = "end-to-end"
    elif any(end_to_end):
        weights = _rows([0.0 if own else 1.0 for own in end_to_end], seeds)
    commitments = [c.commitment for c in cells]
    alike = len(set(commitments)) == 1
    stages = [
        VectorQuantizer(
            seeds * len(cells),
            DAC_WIDTH if cell.quantizer == "dac" else cell.latent,
            2 ** (cell.bits // cell.stages),
            codebook=codebook,
            commitment=commitments[0] if alike else _rows(commitments, seeds),
            codebook_weights=weights,
            cosine=cell.quantizer == "dac",
        )
        for _ in range(cell.stages)
    ]
    if cell.quantizer == "dac":
        return ProjectedQuantizer(draws, cell.latent, stages)
    if cell.quantizer.startswith("rvq"):
        return ResidualQuantizer(stages, draws if cell.quantizer == "rvq-dropout" else None)
    return stages[0]


def _rows(values: Sequence[float], seeds: int) -> Tensor:
    return torch.tensor(values).repeat_interleave(seeds)
