"""Finite scalar quantization (Mentzer et al. 2023), with the published network's conventions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.amp.autocast_mode import is_autocast_available

from sqcodec.errors import InputError

QuantizerMode = Literal["fsq", "bypass", "taae"]

_BOUND_MARGIN = 1e-3  # stretches the tanh, so that the outermost levels can be reached


class FSQ(nn.Module):
    """One codebook of ``prod(levels)`` codes; the first dimension is the least significant.

    ``mode`` says what `forward` passes on while training; in evaluation it is always ``fsq``.

    - ``fsq``: rounded values with a straight-through gradient;
    - ``bypass``: the bounded values, not rounded;
    - ``taae``: rounded values, each replaced with probability 0.5 by the bounded value plus
      uniform noise of one level's width, as in the published training.

    Codes are of the rounded values in every mode.
    """

    def __init__(self, dim: int, levels: Sequence[int]) -> None:
        super().__init__()
        self.project_in = nn.Linear(dim, len(levels))
        self.project_out = nn.Linear(len(levels), dim)
        self.mode: QuantizerMode = "fsq"
        self.codebook_size = math.prod(levels)
        self._levels = tuple(levels)
        self._basis = tuple(math.prod(levels[:i]) for i in range(len(levels)))

    @property
    def levels(self) -> Tensor:
        """Levels of each dimension ``[D]``."""
        return torch.tensor(self._levels, device=self.project_in.weight.device)

    @property
    def basis(self) -> Tensor:
        """What a step of each dimension adds to a code ``[D]``."""
        return torch.tensor(self._basis, device=self.project_in.weight.device)

    def set_mode(self, mode: QuantizerMode) -> None:
        if mode not in get_args(QuantizerMode):
            raise InputError(
                f"quantizer mode {mode!r}", expected=f"one of {get_args(QuantizerMode)}"
            )
        self.mode = mode

    def bound(self, x: Tensor) -> Tensor:
        """Features ``[..., dim]`` to values in level units ``[..., D]``.

        In the parameters' precision, under autocast too: half precision would change codes.
        """
        # The meta device, on which operations are counted, has no autocast to switch off.
        kind = x.device.type if is_autocast_available(x.device.type) else "cpu"
        with torch.autocast(kind, enabled=False):
            z: Tensor = self.project_in(x.to(self.project_in.weight.dtype))
            return torch.tanh(z) * ((self.levels - 1) * ((1 + _BOUND_MARGIN) / 2))

    def codes(self, rounded: Tensor) -> Tensor:
        """Integer level values ``[..., D]`` to codes ``[...]``, int64."""
        digits = rounded.long() + self.levels // 2
        return (digits * self.basis).sum(-1)

    def encode(self, x: Tensor) -> Tensor:
        """Features ``[..., dim]`` to codes ``[...]``, int64."""
        return self.codes(self.bound(x).round())

    def decode(self, codes: Tensor) -> Tensor:
        """Codes ``[...]`` to features ``[..., dim]``."""
        half = self.levels // 2
        digits = (codes[..., None] // self.basis) % self.levels
        features: Tensor = self.project_out(
            ((digits - half) / half).to(self.project_out.weight.dtype)
        )
        return features

    def forward(self, x: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Features ``[..., dim]`` to (quantized features ``[..., dim]``, codes ``[...]``).

        Args:
            x: features.
            noise: uniform draws ``[..., D, 2]`` in [0, 1) for ``taae``; drawn here if ``None``.
        """
        bounded = self.bound(x)
        rounded = bounded.round()
        mode = self.mode if self.training else "fsq"
        if mode == "bypass":
            value = bounded
        else:
            value = bounded + (rounded - bounded).detach()
            if mode == "taae":
                if noise is None:
                    noise = torch.rand(*bounded.shape, 2, device=bounded.device)
                value = torch.where(noise[..., 1] < 0.5, bounded + noise[..., 0] - 0.5, value)
        return self.project_out(value / (self.levels // 2)), self.codes(rounded.detach())
