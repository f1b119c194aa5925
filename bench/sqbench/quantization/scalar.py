"""Quantizers of single values: uniform, FSQ, iFSQ, their residual form, and signs (LFQ, BSQ).

FSQ: Mentzer et al. 2023, here with levels from -1 to 1 whatever their number, as the library form
that keeps the symmetry. iFSQ: a sigmoid in place of the tanh, so that a normal input fills its
levels evenly. BSQ: Zhao et al. 2024; LFQ: Yu et al. 2023.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from sqbench.quantization.quantizer import Estimate, Quantized, Quantizer, zero_loss

_IFSQ_SLOPE = 1.6
_ENTROPY_WEIGHT = 0.1
_AFFINITY = 4.0
"""Sharpness of the soft assignment that LFQ's entropies are of."""


class ScalarQuantizer(Quantizer):
    """``levels`` equally spaced values from -1 to 1 in each of ``width`` channels.

    Args:
        bound: what keeps the latent in range: ``clip`` (uniform quantizer), ``tanh`` (FSQ) or
            ``sigmoid`` (iFSQ).
        stages: each further one divides the step by ``levels - 1`` (residual FSQ).
    """

    scalar = True

    def __init__(self, width: int, levels: int, bound: str, stages: int = 1) -> None:
        super().__init__()
        self.width, self.levels, self.bound, self.stages = width, levels, bound, stages
        self.size = levels ** (width * stages)
        self.step = 2.0 / (levels - 1) ** stages

    def bounded(self, z: Tensor) -> Tensor:
        """Latents to values between -1 and 1."""
        if self.bound == "clip":
            return z.clamp(-1, 1)
        if self.bound == "tanh":
            return torch.tanh(z)
        return 2 * torch.sigmoid(_IFSQ_SLOPE * z) - 1

    def grid(self) -> Tensor:
        """The levels of each channel ``[width, levels]``, of one stage."""
        return torch.linspace(-1, 1, self.levels).expand(self.width, -1)

    def forward(
        self, z: Tensor, estimate: Estimate | None = None, dither: Tensor | None = None
    ) -> Quantized:
        z = self.bounded(z)
        shift = torch.zeros(()) if dither is None else dither * self.step
        residual = z - shift
        total = torch.zeros_like(z)
        index = torch.zeros(z.shape[:-1], dtype=torch.int64)
        for stage in range(self.stages):
            step = 2.0 / (self.levels - 1) ** (stage + 1)
            low = -((self.levels - 1.0) ** -stage)
            digit = ((residual - total - low) / step).round().clamp(0, self.levels - 1)
            total = total + digit * step + low
            index = index * self.levels**self.width + self.code(digit.long())
        q = (total + shift).detach()
        value = q if estimate is None else estimate(z, q, self)
        return Quantized(value=value, index=index, z=z, q=q, loss=zero_loss(z))

    def code(self, digits: Tensor) -> Tensor:
        """Level indices ``[..., width]`` to codes ``[...]``; the first is least significant."""
        return (digits * self.levels ** torch.arange(self.width)).sum(-1)

    def values(self, codes: Tensor) -> Tensor:
        """Codes of one stage ``[...]`` to values ``[..., width]``."""
        digits = (codes[..., None] // self.levels ** torch.arange(self.width)) % self.levels
        return digits * (2.0 / (self.levels - 1)) - 1


class SignQuantizer(Quantizer):
    """One bit a channel.

    Args:
        spherical: latents and codes lie on the unit sphere (BSQ); otherwise codes are plus and
            minus 1 (LFQ). Both have LFQ's entropy terms: sure of each frame, spread over all.
    """

    scalar = True

    def __init__(self, width: int, spherical: bool) -> None:
        super().__init__()
        self.width, self.spherical = width, spherical
        self.size = 2**width
        self.scale = width**-0.5 if spherical else 1.0
        self.step = 2 * self.scale

    def grid(self) -> Tensor:
        """The levels of each channel ``[width, 2]``."""
        return torch.tensor([-self.scale, self.scale]).expand(self.width, -1)

    def forward(
        self, z: Tensor, estimate: Estimate | None = None, dither: Tensor | None = None
    ) -> Quantized:
        if self.spherical:
            z = F.normalize(z, dim=-1)
        positive = z > 0
        q = torch.where(positive, self.scale, -self.scale)
        index = self.code(positive.long())
        value = q if estimate is None else estimate(z, q, self)
        return Quantized(value=value, index=index, z=z, q=q, loss=self._entropies(z))

    def code(self, digits: Tensor) -> Tensor:
        """Signs as 0 and 1 ``[..., width]`` to codes ``[...]``."""
        return (digits << torch.arange(self.width)).sum(-1)

    def values(self, codes: Tensor) -> Tensor:
        """Codes ``[...]`` to values ``[..., width]``."""
        digits = (codes[..., None] >> torch.arange(self.width)) & 1
        return (2.0 * digits - 1) * self.scale

    def _entropies(self, z: Tensor) -> Tensor:
        codes = self.values(torch.arange(self.size)).to(z)
        # All codes have one length, so the squared distance is -2 z c and a constant.
        logs = torch.log_softmax(2 * _AFFINITY / self.scale * (z @ codes.T), dim=-1)
        mean = torch.logsumexp(logs, dim=1) - math.log(z.shape[1])
        of_each = -(logs.exp() * logs).sum(-1).mean(1)
        of_all = -(mean.exp() * mean).sum(-1)
        return _ENTROPY_WEIGHT * (of_each - of_all)
