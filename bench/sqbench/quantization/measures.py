"""What is measured of a trained cell; everything ``[S]``, one number a seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sqbench.quantization.draws import Draws

_FLOOR = 1e-12
"""Of a mean squared error: 120 dB is all that float32 can tell."""
_PAIRS_AT_ONCE = 60
"""Of the smoothed gradient, over all rows: what fits a cache takes two thirds of the time."""


def snr_db(estimate: Tensor, target: Tensor) -> Tensor:
    """SNR of ``[S, n, F]`` at unit power."""
    error = (estimate.double() - target.double()).square().mean((1, 2))
    return -10 * torch.log10(error.clamp_min(_FLOOR))


@dataclass(frozen=True, kw_only=True)
class Usage:
    """How the codes are used, each ``[S]``.

    Attributes:
        fraction: of the codes that occur.
        entropy_bits: of the index, from its counts; biased low with few frames a code.
        efficiency: entropy over the bits that the codes could have.
    """

    fraction: Tensor
    entropy_bits: Tensor
    efficiency: Tensor


def usage(index: Tensor, size: int) -> Usage:
    """Of codes ``[S, n]`` out of ``size``."""
    counts = torch.stack([torch.bincount(row, minlength=size) for row in index]).double()
    share = counts / counts.sum(-1, keepdim=True)
    entropy = -torch.xlogy(share, share).sum(-1) / math.log(2)
    return Usage(
        fraction=(counts > 0).double().mean(-1),
        entropy_bits=entropy,
        efficiency=entropy / math.log2(size),
    )


def deviation(z: Tensor) -> Tensor:
    """Standard deviation over frames and channels ``[S]``."""
    return z.detach().double().std((1, 2), correction=0)


def relative_noise(z: Tensor, q: Tensor) -> Tensor:
    """RMS of the quantization error over the deviation of the latents ``[S]``."""
    error = (q - z).detach().double().square().mean((1, 2)).sqrt()
    return error / deviation(z)


def churn(before: Tensor, after: Tensor) -> Tensor:
    """Share of frames ``[S, n]`` whose code changed."""
    return (before != after).double().mean(-1)


def gradient_variance(gradients: Sequence[Tensor]) -> Tensor:
    """Trace of the minibatch covariance over the squared mean, of flat gradients ``[S, P]``."""
    stacked = torch.stack([g.double() for g in gradients])
    spread = stacked.var(0, correction=1).sum(-1)
    return spread / stacked.mean(0).square().sum(-1)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of the angle between flat vectors ``[S, P]``."""
    return torch.nn.functional.cosine_similarity(a.double(), b.double(), dim=-1)


def smoothed_gradient(
    loss: Callable[[Tensor], Tensor], z: Tensor, draws: Draws, scale: Tensor, pairs: int
) -> tuple[Tensor, Tensor]:
    """Two independent halves of an antithetic estimate of a smoothed loss's gradient.

    The true gradient of a hard quantizer is zero almost everywhere; what descent can follow is
    the gradient of the loss blurred by normal noise.

    Args:
        loss: hard loss of each frame, ``[S, m * n, D]`` (``m`` times the frames of ``z``) to
            ``[S, m * n]``.
        scale: standard deviation of the noise ``[S]``.
        pairs: of noise, plus and minus; half for each estimate.

    Returns:
        Two gradients ``[S, n, D]``.
    """
    frames, width = z.shape[1:]
    scale = scale[:, None, None].to(z)
    few = max(1, _PAIRS_AT_ONCE // len(z))
    halves = []
    for _ in range(2):
        total = torch.zeros_like(z)
        for noise in torch.split(draws.normal(pairs // 2 * frames, width), few * frames, dim=1):
            centre = z.repeat(1, noise.shape[1] // frames, 1)
            slope = loss(centre + scale * noise) - loss(centre - scale * noise)
            product = slope[..., None] / (2 * scale) * noise
            total += product.reshape(len(z), -1, frames, width).sum(1)
        halves.append(total / (pairs // 2))
    return halves[0], halves[1]
