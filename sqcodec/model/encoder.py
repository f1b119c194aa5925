"""The convolutional encoder: audio ``[B, T]`` to frames ``[B, F, feature_dim]``."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from sqcodec.config import SQCodecConfig
from sqcodec.model.conv import ChannelNorm, Sequence, conv1d, conv_units
from sqcodec.model.tconv import TConv


class Encoder(nn.Module):
    """TConv, then per rate Conv units and a strided convolution, then Conv units and k3."""

    def __init__(self, config: SQCodecConfig) -> None:
        super().__init__()
        dims = config.encoder_dims
        blocks: list[nn.Module] = [TConv(dims[0], config.tconv)]
        for (in_dim, out_dim), rate, depth in zip(
            pairwise(dims), config.encoder_rates, config.encoder_depths, strict=False
        ):
            down = Sequence(conv1d(in_dim, out_dim, rate, stride=rate), ChannelNorm(out_dim))
            blocks += [conv_units(in_dim, depth), down]
        blocks.append(conv_units(dims[-1], config.encoder_depths[-1]))
        blocks.append(conv1d(dims[-1], config.feature_dim, 3, padding=1))
        self.blocks = Sequence(*blocks)

    def forward(self, audio: Tensor) -> Tensor:
        frames: Tensor = self.blocks(audio)
        return frames
