"""Gradient estimators: what a quantizer passes on while training, so that a gradient gets through.

Rounding has no useful derivative. Every function here takes values ``z [..., D]``, and mostly what
the quantizer made of them, ``q [..., D]``, and returns the training forward; its derivative is
whatever autograd makes of it. Noise is the caller's, so that a run can be repeated. None of them
takes part in inference.

Sources: STE, Bengio et al. 2013; uniform noise, Ballé et al. 2017; universal quantization,
Agustsson & Theis 2020; soft-to-hard, Agustsson et al. 2017; NSVQ, Vali & Bäckström 2022; DiVeQ,
Vali et al. 2025; rotation trick, Fifty et al. 2024; TAAE, Parker et al. 2024. mSTE is a
reconstruction from the abstract and summaries of arXiv 2502.04770, not the paper's own formula.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

DIVEQ_DEVIATION = 0.03
"""Of the noise on `diveq`'s direction, where codes are about one apart; small beside any error."""


def straight_through(z: Tensor, q: Tensor) -> Tensor:
    """``q`` forward, the identity backward."""
    return z + (q - z).detach()


def modified_straight_through(z: Tensor, q: Tensor, dims: Sequence[int]) -> Tensor:
    """mSTE: ``z + sg(q - z) * s / sg(s)``, with ``s`` the standard deviation of ``z``.

    Forward this is ``q``. Backward, the noise grows with the signal: where the straight-through
    gradient rewards an encoder for outgrowing the noise, here nothing is gained by it. For each
    set of values that shares an ``s``, with mean ``m`` and ``g`` the gradient at the output,
    ``sum((z - m) * dL/dz) == sum(g * (q - m))``.

    Args:
        dims: axes that share a standard deviation; the last among them makes it one for all
            channels.
    """
    variance = z.var(tuple(dims), correction=0, keepdim=True)
    fixed = variance.detach()
    # s / sg(s) to first order, without the root, whose derivative has no value at zero.
    ratio = 1 + 0.5 * (variance - fixed) / fixed.clamp_min(torch.finfo(z.dtype).tiny)
    return z + (q - z).detach() * ratio


def rotation_trick(z: Tensor, q: Tensor) -> Tensor:
    """``q`` forward, as ``z`` rotated and rescaled by constants; keeps angles backward."""
    length = z.detach().norm(dim=-1, keepdim=True)
    e, target = F.normalize(z.detach(), dim=-1), F.normalize(q.detach(), dim=-1)
    middle = F.normalize(e + target, dim=-1)
    rotated = (
        z
        - 2 * (z * middle).sum(-1, keepdim=True) * middle
        + 2 * (z * e).sum(-1, keepdim=True) * target
    )
    scale = q.detach().norm(dim=-1, keepdim=True) / length.clamp_min(torch.finfo(z.dtype).tiny)
    out: Tensor = rotated * scale
    return out


def nsvq(z: Tensor, q: Tensor, normal: Tensor) -> Tensor:
    """``z`` plus noise of a random direction and of the error's length, which has the gradient."""
    length: Tensor = (q - z).norm(dim=-1, keepdim=True)
    return z + length * F.normalize(normal, dim=-1)


def diveq(z: Tensor, q: Tensor, normal: Tensor, deviation: float) -> Tensor:
    """As `nsvq`, the direction being the error's own, blurred by noise of this deviation."""
    error = q - z
    direction = F.normalize(error.detach() + deviation * normal, dim=-1)
    length: Tensor = error.norm(dim=-1, keepdim=True)
    return z + length * direction


def uniform_noise(z: Tensor, step: float | Tensor, uniform: Tensor) -> Tensor:
    """``z`` plus noise one step wide; ``uniform`` is in [0, 1)."""
    return z + step * (uniform - 0.5)


def gaussian_noise(z: Tensor, q: Tensor, normal: Tensor, dims: Sequence[int]) -> Tensor:
    """``z`` plus normal noise of the error's power, taken over ``dims``, as a constant."""
    power = (q - z).detach().square().mean(tuple(dims), keepdim=True)
    return z + power.sqrt() * normal


def noise_or_straight_through(
    z: Tensor, q: Tensor, step: float | Tensor, uniform: Tensor, choice: Tensor
) -> Tensor:
    """Each value by an even chance with `uniform_noise` or `straight_through` (SQCodec's).

    ``uniform`` and ``choice`` are in [0, 1).
    """
    return torch.where(choice < 0.5, uniform_noise(z, step, uniform), straight_through(z, q))


def noise_mixture(
    z: Tensor, q: Tensor, step: float | Tensor, uniform: Tensor, choice: Tensor
) -> Tensor:
    """Half with `uniform_noise`, a quarter with `straight_through`, a quarter as they are.

    That is TAAE's released code at its setting 0.5; the paper words it otherwise. ``choice``, in
    [0, 1), has one value for what is treated alike (a batch item there), and broadcasts.
    """
    through = torch.where(choice < 0.75, straight_through(z, q), z)
    return torch.where(choice < 0.5, uniform_noise(z, step, uniform), through)


def soft_assignment(logits: Tensor, codes: Tensor) -> Tensor:
    """Mean of ``codes [..., K, D]`` under ``softmax(logits) [..., N, K]``: ``[..., N, D]``."""
    return torch.softmax(logits, dim=-1) @ codes


def soft_levels(z: Tensor, levels: Tensor, sharpness: float | Tensor) -> Tensor:
    """Each value's mean over ``levels [D, L]``, weighted by ``exp(-sharpness * distance^2)``.

    Where channels have different numbers of levels, NaN fills the shorter rows.
    """
    there = torch.isfinite(levels)
    grid = torch.where(there, levels, 0.0)
    logits = (-sharpness * (z[..., None] - grid).square()).masked_fill(~there, -math.inf)
    return (torch.softmax(logits, dim=-1) * grid).sum(-1)


def normal_of(uniform: Tensor, angle: Tensor) -> Tensor:
    """Standard normal values of two independent uniform ones in [0, 1) (Box and Muller)."""
    return torch.sqrt(-2 * torch.log1p(-uniform)) * torch.cos(2 * math.pi * angle)


def annealed(span: tuple[float, float], progress: float) -> float:
    """Between the ends of ``span``, geometrically; ``progress`` runs from 0 to 1."""
    start, end = span
    ratio = math.log(end / start)
    return start * math.exp(ratio * min(max(progress, 0.0), 1.0))
