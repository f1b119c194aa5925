"""How an estimator's gradient relates to the loss that the hard quantizer has. A diagnostic only.

A straight-through gradient may point against the smoothed one and train well: no threshold applies,
and higher is not better.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sqbench.quantization import measures
from sqbench.quantization.draws import Draws
from sqbench.quantization.networks import Frames
from sqbench.quantization.quantizer import Quantized
from sqbench.quantization.sources import SimulatedSource

SCALES = (0.5, 1.0, 2.0)
"""Deviations of the blur, in units of the RMS quantization error."""
AGREEMENT = 0.8
"""Cosine of the two halves of an estimate below which it is noise."""
_PAIRS = 400
_FRAMES = 64

Pass = Callable[[Tensor], Quantized]


def cosines(
    source: SimulatedSource,
    encoder: Frames,
    decoder: Frames,
    trained: Pass,
    hard: Pass,
    draws: Draws,
) -> dict[str, Tensor]:
    """Cosines of the training gradient with the smoothed gradient of the hard loss, ``[S]`` each.

    Returns:
        ``gradient_cosine_SCALE``, at the latents; ``gradient_cosine_encoder``, at the encoder's
        parameters with scale 1. NaN where the halves of the estimate do not agree.
    """
    x, y = source.training(draws, _FRAMES)
    z = encoder(x)
    latents = z.detach().requires_grad_()
    error = (decoder(trained(latents).value) - y).square().mean(-1)
    (gradient,) = torch.autograd.grad(error.sum(), latents)
    with torch.no_grad():
        found = hard(latents)
        rms = (found.q - found.z).square().mean((1, 2)).sqrt()

        def loss(moved: Tensor) -> Tensor:
            target = y.repeat(1, moved.shape[1] // y.shape[1], 1)
            miss: Tensor = decoder(hard(moved).value) - target
            return miss.square().mean(-1)

        smooth = {
            scale: measures.smoothed_gradient(loss, latents, draws, scale * rms, _PAIRS)
            for scale in SCALES
        }
    out: dict[str, Tensor] = {}
    agree: dict[float, Tensor] = {}
    for scale, (first, second) in smooth.items():
        agree[scale] = measures.cosine(first.flatten(1), second.flatten(1)) >= AGREEMENT
        both = (first + second).flatten(1)
        cosine = measures.cosine(gradient.flatten(1), both)
        out[f"gradient_cosine_{scale:g}"] = cosine.where(agree[scale], torch.nan)
    flat = [_at_encoder(encoder, z, g) for g in (gradient, sum(smooth[1.0], torch.zeros(())))]
    out["gradient_cosine_encoder"] = measures.cosine(*flat).where(agree[1.0], torch.nan)
    return out


def _at_encoder(encoder: Frames, z: Tensor, gradient: Tensor) -> Tensor:
    """A gradient at the latents carried to the encoder's parameters, flat ``[S, P]``."""
    found = torch.autograd.grad(z, list(encoder.parameters()), gradient, retain_graph=True)
    return torch.cat([g.flatten(1) for g in found], dim=1)
