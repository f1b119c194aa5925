"""Gradient estimators by name, as the bench trains with them; formulas in the network's module."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sqbench.quantization.draws import Draws
from sqbench.quantization.quantizer import Estimate, Quantizer
from sqbench.quantization.vector import VectorQuantizer
from sqcodec.quantize import estimators as formulas

_TEMPERATURE = (1.0, 0.1)
"""Of Gumbel-softmax, from the first step to the last."""


@dataclass(frozen=True, kw_only=True)
class EstimatorInfo:
    """What an estimator is, and what it works with.

    Attributes:
        scalar, vector: which quantizers it is defined for.
        end_to_end: it trains a codebook by itself, so there is no codebook loss.
        dithered: a shared random shift, in evaluation as well.
    """

    summary: str
    scalar: bool = True
    vector: bool = True
    end_to_end: bool = False
    dithered: bool = False


ESTIMATORS: dict[str, EstimatorInfo] = {
    "identity": EstimatorInfo(summary="control: nothing is quantized while training"),
    "ste": EstimatorInfo(summary="straight-through: hard values, gradient as if they were not"),
    "mste": EstimatorInfo(summary="modified STE: the noise scales with each channel's deviation"),
    "mste-global": EstimatorInfo(summary="modified STE with one deviation for all channels"),
    "rotation": EstimatorInfo(
        summary="rotation trick: gradient turned with the code", scalar=False
    ),
    "nsvq": EstimatorInfo(
        summary="noise of the error's length in a random direction", scalar=False, end_to_end=True
    ),
    "diveq": EstimatorInfo(
        summary="error's own direction, length with gradient", scalar=False, end_to_end=True
    ),
    "uniform": EstimatorInfo(summary="uniform noise one step wide", vector=False),
    "gaussian": EstimatorInfo(summary="normal noise of the error's power"),
    "universal": EstimatorInfo(
        summary="universal quantization: shared dither, in use as well", vector=False, dithered=True
    ),
    "taae": EstimatorInfo(summary="each value by an even chance noise or STE", vector=False),
    "taae-mix": EstimatorInfo(
        summary="each frame: noise 1/2, STE 1/4, unquantized 1/4 (TAAE's code)", vector=False
    ),
    "soft": EstimatorInfo(summary="soft-to-hard annealing", end_to_end=True),
    "gumbel": EstimatorInfo(
        summary="Gumbel-softmax with falling temperature", scalar=False, end_to_end=True
    ),
}


def estimate(name: str, draws: Draws, sharpness: tuple[float, float], progress: float) -> Estimate:
    """The training forward of estimator ``name``.

    Args:
        draws: for its noise.
        sharpness: of soft-to-hard annealing, first and last: per squared step of a scalar
            quantizer, per variance of the latents of a vector quantizer.
        progress: of the training, 0 to 1.
    """
    alpha = formulas.annealed(sharpness, progress)
    temperature = formulas.annealed(_TEMPERATURE, progress)

    def of(z: Tensor, q: Tensor, stage: Quantizer) -> Tensor:
        frames, width = z.shape[1:]
        match name:
            case "identity":
                return z
            case "ste" | "universal":
                return formulas.straight_through(z, q)
            case "mste":
                return formulas.modified_straight_through(z, q, (1,))
            case "mste-global":
                return formulas.modified_straight_through(z, q, (1, 2))
            case "rotation":
                return formulas.rotation_trick(z, q)
            case "nsvq":
                return formulas.nsvq(z, q, draws.normal(frames, width))
            case "diveq":
                return formulas.diveq(z, q, draws.normal(frames, width), formulas.DIVEQ_DEVIATION)
            case "uniform":
                return formulas.uniform_noise(z, stage.step, draws.uniform(frames, width))
            case "gaussian":
                return formulas.gaussian_noise(z, q, draws.normal(frames, width), (1, 2))
            case "taae":
                noise, choice = draws.uniform(2, frames, width).unbind(1)
                return formulas.noise_or_straight_through(z, q, stage.step, noise, choice)
            case "taae-mix":
                noise, choice = draws.uniform(frames, width), draws.uniform(frames, 1)
                return formulas.noise_mixture(z, q, stage.step, noise, choice)
            case "soft" if stage.scalar:
                return formulas.soft_levels(z, stage.grid(), alpha / stage.step**2)
            case "soft":
                assert isinstance(stage, VectorQuantizer)
                # In units of the latents' variance: annealing would otherwise be evaded by an
                # encoder that shrinks them.
                variance = stage.compared(z.detach()).var((1, 2), correction=0, keepdim=True)
                scale = alpha / variance.clamp_min(torch.finfo(z.dtype).tiny)
                return formulas.soft_assignment(-scale * stage.distances(z), stage.codes())
            case "gumbel":
                assert isinstance(stage, VectorQuantizer)
                uniform = draws.uniform(frames, stage.size).clamp(1e-6, 1 - 1e-6)
                logits = -stage.distances(z) - torch.log(-torch.log(uniform))
                return formulas.soft_assignment(logits / temperature, stage.codes())
        raise ValueError(name)

    return of
