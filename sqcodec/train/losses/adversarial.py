"""Least-squares adversarial losses and feature matching, over an ensemble of discriminators.

Least squares: Mao et al. 2017 (LSGAN). Their combination with feature matching is that of DAC
(Kumar et al. 2023); sums over sub-discriminators rather than means, and the weight 2, are those of
SQCodec's successor L3AC (the paper's own are not published).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import torch
from torch import Tensor

Outputs: TypeAlias = list[list[Tensor]]
"""For each sub-discriminator the features of its layers; the last are its logits."""


def discriminator_loss(fake: Outputs, real: Outputs) -> Tensor:
    """``sum_d mean(D_d(fake)^2) + mean((1 - D_d(real))^2)``; a scalar.

    Args:
        fake: outputs for generated audio that was detached from its generator.
        real: outputs for the original.
    """
    return _sum(
        f[-1].float().square().mean() + (1 - r[-1].float()).square().mean()
        for f, r in zip(fake, real, strict=True)
    )


def generator_loss(fake: Outputs, real: Outputs) -> tuple[Tensor, Tensor]:
    """The adversarial and the feature-matching loss; two scalars.

    Adversarial: ``sum_d mean((1 - D_d(fake))^2)``. Feature matching: the sum over
    sub-discriminators and their layers, logits excluded, of ``mean|fake - real|``. The recipe's
    term is ``adversarial + losses.feature * matching``.

    Args:
        fake: outputs for generated audio, with its gradient.
        real: outputs for the original; no gradient flows into them.
    """
    adversarial = _sum((1 - f[-1].float()).square().mean() for f in fake)
    matching = _sum(
        (a.float() - b.detach().float()).abs().mean()
        for f, r in zip(fake, real, strict=True)
        for a, b in zip(f[:-1], r[:-1], strict=True)
    )
    return adversarial, matching


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()
