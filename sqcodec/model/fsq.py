"""Finite scalar quantization (Mentzer et al. 2023), with the published network's conventions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.amp.autocast_mode import is_autocast_available

from sqcodec.errors import InputError
from sqcodec.quantize import estimators

QuantizerMode = Literal[
    "fsq", "bypass", "taae", "taae-mix", "mste", "uniform", "gaussian", "nsvq", "diveq", "rotation",
    "soft",
]  # fmt: skip
NOISY_MODES = frozenset({"taae", "taae-mix", "uniform", "gaussian", "nsvq", "diveq"})
"""Modes that take the ``noise`` of `FSQ.forward`."""

_BOUND_MARGIN = 1e-3  # stretches the tanh, so that the outermost levels can be reached


class FSQ(nn.Module):
    """One codebook of ``prod(levels)`` codes; the first dimension is the least significant.

    ``mode`` says what `forward` passes on while training; in evaluation it is always ``fsq``.

    - ``fsq``: rounded values with a straight-through gradient;
    - ``bypass``: the bounded values, not rounded;
    - ``taae``: rounded values, each replaced with probability 0.5 by the bounded value plus
      uniform noise of one level's width, as in the published training;
    - ``mste``, ``rotation``: rounded values with another gradient;
    - ``uniform``, ``gaussian``, ``nsvq``, ``diveq``: bounded values plus noise;
    - ``taae-mix``: each clip with uniform noise (1/2), rounded (1/4) or bounded only (1/4);
    - ``soft``: means over the levels, harder with `set_mode`'s ``sharpness``.

    Their formulas are in `sqcodec.quantize.estimators`; a vector there is a token's ``D`` values,
    and statistics are over the tokens of this process's batch.

    Codes are of the rounded values in every mode.
    """

    def __init__(self, dim: int, levels: Sequence[int]) -> None:
        super().__init__()
        self.project_in = nn.Linear(dim, len(levels))
        self.project_out = nn.Linear(len(levels), dim)
        self.mode: QuantizerMode = "fsq"
        # A tensor, as a compiled network would be compiled again for every other number. It is in
        # no file, so that it needs its value even where the network is made without any.
        sharpness = torch.tensor(1.0, dtype=torch.float32, device="cpu")
        self.register_buffer("_sharpness", sharpness, persistent=False)
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

    def set_mode(self, mode: QuantizerMode, sharpness: float = 1.0) -> None:
        """Choose what training passes on; ``sharpness``, per squared level, is of ``soft``."""
        if mode not in get_args(QuantizerMode):
            raise InputError(
                f"quantizer mode {mode!r}", expected=f"one of {get_args(QuantizerMode)}"
            )
        self.mode = mode
        self.get_buffer("_sharpness").fill_(sharpness)

    def bound(self, x: Tensor) -> Tensor:
        """Features ``[..., dim]`` to values in level units ``[..., D]``.

        In the parameters' precision, under autocast too: half precision would change codes.
        """
        # The meta device, on which operations are counted, has no autocast to switch off.
        kind = x.device.type if is_autocast_available(x.device.type) else "cpu"
        with torch.autocast(kind, enabled=False):
            z: Tensor = self.project_in(x.to(self.project_in.weight.dtype))
            # Named dtypes: a product or quotient of integers has torch's default one.
            return torch.tanh(z) * ((self.levels - 1).to(z.dtype) * ((1 + _BOUND_MARGIN) / 2))

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
        dtype = self.project_out.weight.dtype
        features: Tensor = self.project_out((digits - half).to(dtype) / half.to(dtype))
        return features

    def forward(self, x: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Features ``[..., dim]`` to (quantized features ``[..., dim]``, codes ``[...]``).

        Args:
            x: features.
            noise: uniform draws ``[..., D, 2]`` in [0, 1) for `NOISY_MODES`; drawn here if
                ``None``.
        """
        bounded = self.bound(x)
        rounded = bounded.round()
        mode = self.mode if self.training else "fsq"
        if mode == "bypass":
            value = bounded
        elif mode == "fsq":
            value = estimators.straight_through(bounded, rounded)
        else:
            if noise is None and mode in NOISY_MODES:
                noise = torch.rand(*bounded.shape, 2, device=bounded.device)
            value = self._estimate(bounded, rounded, noise)
        return self.project_out(value / (self.levels // 2)), self.codes(rounded.detach())

    def _estimate(self, z: Tensor, q: Tensor, noise: Tensor | None) -> Tensor:
        """What training passes on for values ``[..., D]`` in level units, rounded to ``q``."""
        tokens = tuple(range(z.ndim - 1))
        match self.mode:
            case "mste":
                return estimators.modified_straight_through(z, q, tokens)
            case "rotation":
                return estimators.rotation_trick(z, q)
            case "soft":
                count = torch.arange(max(self._levels), device=z.device)
                grid = (count - self.levels[:, None] // 2).to(z.dtype)
                grid = grid.masked_fill(count >= self.levels[:, None], math.nan)
                return estimators.soft_levels(z, grid, self.get_buffer("_sharpness"))
        assert noise is not None
        uniform, choice = noise[..., 0], noise[..., 1]
        match self.mode:
            case "taae":
                return estimators.noise_or_straight_through(z, q, 1.0, uniform, choice)
            case "taae-mix":
                clip = choice[(slice(None), *(slice(1),) * (z.ndim - 1))]
                return estimators.noise_mixture(z, q, 1.0, uniform, clip)
            case "uniform":
                return estimators.uniform_noise(z, 1.0, uniform)
        normal = estimators.normal_of(uniform, choice)
        match self.mode:
            case "gaussian":
                return estimators.gaussian_noise(z, q, normal, tokens)
            case "nsvq":
                return estimators.nsvq(z, q, normal)
            case "diveq":
                return estimators.diveq(z, q, normal, estimators.DIVEQ_DEVIATION)
        raise ValueError(self.mode)
