"""The convolutional decoder: frames ``[B, F, feature_dim]`` to audio ``[B, T]``."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from sqcodec.config import SQCodecConfig
from sqcodec.model.conv import ChannelNorm, Residual, Sequence, Snake, conv1d, conv_units, upsample
from sqcodec.model.tconv import TEConv


def _up_layer(in_dim: int, out_dim: int, rate: int) -> Sequence:
    """Pointwise convolution at the low rate, then linear upsampling and norm."""
    return Sequence(conv1d(in_dim, out_dim, 1), _Upsample(rate), ChannelNorm(out_dim))


class _Upsample(nn.Module):
    def __init__(self, rate: int) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        return upsample(x, self.rate)


class _DilatedUnit(nn.Module):
    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.block = Sequence(
            Snake(channels, (1, -1, 1)),
            conv1d(channels, channels, 7, dilation=dilation, padding=3 * dilation),
            Snake(channels, (1, -1, 1)),
            conv1d(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.block(x)
        return out


class LastUnit(nn.Module):
    """Three dilated residual units at the full rate, then one channel through tanh."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        units = [Residual(_DilatedUnit(channels, dilation)) for dilation in (1, 3, 9)]
        self.block = Sequence(
            Sequence(*units), Snake(channels, (1, -1, 1)), conv1d(channels, 1, 7, padding=3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.block(x)[..., 0])


class Decoder(nn.Module):
    """k3, then per rate Conv units, TEConv and upsampling, then the last unit."""

    def __init__(self, config: SQCodecConfig) -> None:
        super().__init__()
        dims = config.decoder_dims
        blocks: list[nn.Module] = [conv1d(config.feature_dim, dims[0], 3, padding=1)]
        for (in_dim, out_dim), rate, depth in zip(
            pairwise(dims), config.decoder_rates, config.decoder_depths, strict=True
        ):
            gate = TEConv(in_dim) if config.teconv else nn.Identity()
            blocks += [conv_units(in_dim, depth), gate, _up_layer(in_dim, out_dim, rate)]
        blocks.append(LastUnit(dims[-1]))
        self.blocks = Sequence(*blocks)

    def forward(self, frames: Tensor) -> Tensor:
        audio: Tensor = self.blocks(frames)
        return audio
