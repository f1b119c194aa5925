"""Statistics of the decoder's InstanceNorms, which offline are those of the whole clip.

A stream has only what has passed. Step t of a norm is centred and scaled by

    mean_t = (w m + x_1 + ... + x_t) / (w + t)
    variance_t = (w (v + m^2) + x_1^2 + ... + x_t^2) / (w + t) - mean_t^2

for every channel by itself, where m and v are statistics known beforehand and w says how many steps
they are worth. With w = 0 it is what was heard alone, with w infinite it is m and v for good: the
values of the offline decoder, if they are those of the clip.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Any

import torch
from torch import Tensor

from sqcodec.inference.folded_decoder import Moments
from sqcodec.model import SQCodecModel
from sqcodec.model.tconv import TEConv

FILE = "norms.json"


@dataclass(frozen=True, kw_only=True)
class NormStatistics:
    """Mean and variance, a row of channels for each stage of the decoder."""

    means: tuple[tuple[float, ...], ...]
    variances: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, stages: Sequence[Moments]) -> NormStatistics:
        """Those of one clip, from the moments ``[1, K]`` of every stage."""
        return cls(
            means=tuple(_row(moments.mean) for moments in stages),
            variances=tuple(_row(moments.variance) for moments in stages),
        )

    @classmethod
    def mean(cls, clips: Sequence[NormStatistics]) -> NormStatistics:
        """The mean over clips, at least one."""
        return cls(
            means=_averages([clip.means for clip in clips]),
            variances=_averages([clip.variances for clip in clips]),
        )

    @property
    def digest(self) -> str:
        """Eight digits that tell them from others."""
        return sha256(json.dumps(asdict(self)).encode()).hexdigest()[:8]

    def fit(self, model: SQCodecModel) -> bool:
        """Whether they are of a network with these stages."""
        blocks: Any = model.decoder.blocks
        gates = [isinstance(gate, TEConv) for gate in blocks[2:-1:3]]
        shape = [len(TEConv.kernels) if gate else 0 for gate in gates]
        return [*map(len, self.means)] == shape == [*map(len, self.variances)]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> NormStatistics:
        """Back from `dataclasses.asdict`, through JSON or not."""
        means, variances = (
            tuple(tuple(float(x) for x in row) for row in values[key])
            for key in ("means", "variances")
        )
        return cls(means=means, variances=variances)


_Rows = tuple[tuple[float, ...], ...]


def _row(values: Tensor) -> tuple[float, ...]:
    return tuple(values[0].tolist()) if values.ndim == 2 else ()  # a stage without a gate


def _averages(clips: Sequence[_Rows]) -> _Rows:
    stages = zip(*clips, strict=True)
    return tuple(
        tuple(math.fsum(channel) / len(clips) for channel in zip(*stage, strict=True))
        for stage in stages
    )


@cache
def _known() -> dict[str, NormStatistics]:
    text = resources.files("sqcodec").joinpath("bundled", FILE).read_text("utf-8")
    return {key: NormStatistics.from_dict(value) for key, value in json.loads(text).items()}


def known_statistics(sha256: str) -> NormStatistics | None:
    """Those that ship for weights of that hash; ``None`` for others."""
    return _known().get(sha256)


class RunningNorm:
    """One norm of a stream, by the formula above.

    Args:
        mean, variance: known beforehand, ``[K]`` each.
        weight: how many steps they are worth.
        eps: added to the variance.
    """

    def __init__(
        self, mean: Sequence[float], variance: Sequence[float], weight: float, eps: float
    ) -> None:
        self.mean = torch.tensor(mean, dtype=torch.float64)
        self.variance = torch.tensor(variance, dtype=torch.float64)
        self.eps, self.fixed = eps, math.isinf(weight)
        self.count = 0.0 if self.fixed else weight
        # Of what is beyond the known mean, which may be far larger than the spread.
        self.total = torch.zeros_like(self.mean)
        self.squares = self.variance * self.count

    def __call__(self, x: Tensor) -> Tensor:
        """The next steps ``[T, K]``, centred and scaled."""
        self.mean, self.variance, self.total, self.squares = (
            t.to(x.device) for t in (self.mean, self.variance, self.total, self.squares)
        )
        beyond = x.double() - self.mean
        if self.fixed:
            return (beyond / torch.sqrt(self.variance + self.eps)).float()
        count = self.count + torch.arange(1, len(x) + 1, device=x.device)[:, None]
        total = self.total + beyond.cumsum(0)
        squares = self.squares + beyond.square().cumsum(0)
        if len(x):
            self.count, self.total, self.squares = self.count + len(x), total[-1], squares[-1]
        mean = total / count
        variance = (squares / count - mean.square()).clamp_(min=0)
        return ((beyond - mean) / torch.sqrt(variance + self.eps)).float()
