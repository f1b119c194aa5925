"""TConv and TEConv: convolutions over temporally pooled versions of one channel (paper, Eq. 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sqcodec.model.conv import conv1d, convolve

_KERNEL = 7


class TPooling(nn.Module):
    """The envelope of ``[B, T]``: mean of the running maximum of ``|x|``, both over ``kernel``.

    A kernel of 1 passes the signal on unchanged, with its sign. The running maximum sees nothing
    beyond the ends; the mean counts zeros there.
    """

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, x: Tensor) -> Tensor:
        if self.kernel == 1:
            return x
        k = self.kernel
        return F.avg_pool1d(F.max_pool1d(x.abs(), k, 1, k // 2), k, 1, k // 2)


def _branches(kernels: Sequence[int], dilation_rate: int, channels: int) -> nn.ModuleList:
    """Per pooling kernel k: pool, then a convolution of dilation ``k // dilation_rate + 1``."""
    bank = []
    for kernel in kernels:
        dilation = kernel // dilation_rate + 1
        conv = conv1d(1, channels, _KERNEL, dilation=dilation, padding=dilation * (_KERNEL // 2))
        bank.append(nn.Sequential(TPooling(kernel), conv))
    return nn.ModuleList(bank)


def _apply(bank: nn.ModuleList, signal: Tensor) -> Tensor:
    """``[B, T]`` through every branch: ``[B, branches * channels, T]``."""
    return torch.cat([branch(signal[:, None]) for branch in bank], dim=1)


class TConv(nn.Module):
    """The encoder's first unit: ``[B, T]`` audio to ``[B, T, out_channels]``.

    Args:
        out_channels: of the output.
        pooling: ``False`` gives every branch the signal itself.
    """

    def __init__(self, out_channels: int, pooling: bool = True) -> None:
        super().__init__()
        self.kernels = (1, 5, 11, 21, 45) if pooling else (1,) * 5
        hidden = 4 * len(self.kernels)
        # 99 is beyond every kernel: no branch is dilated.
        self.blocks = _branches(self.kernels, 99, 4)
        self.conv_1 = conv1d(hidden, 4 * hidden, 1)
        self.conv_2 = conv1d(4 * hidden + 1, out_channels, 1)

    def forward(self, audio: Tensor) -> Tensor:
        h = F.gelu(convolve(self.conv_1, _apply(self.blocks, audio).transpose(1, 2)))
        # The audio itself is one more input of conv_2.
        weight = self.conv_2.weight[..., 0]
        out = F.linear(h, weight[:, :-1], self.conv_2.bias)
        return out + F.linear(audio[..., None], weight[:, -1:])


class TEConv(nn.Module):
    """The decoder's gate ``x + y x``, with y from the envelopes of channel 0: ``[B, T, C]``.

    Its InstanceNorm takes mean and variance over the whole clip, padding included, also in
    evaluation: here alone an output sample depends on all of the input.
    """

    kernels = (1, 3, 5, 9)

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.blocks = _branches(self.kernels, 2, 1)
        self.merge_layer = nn.Sequential(
            nn.InstanceNorm1d(len(self.kernels), affine=True),
            nn.Conv1d(len(self.kernels), channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        layers: Any = self.merge_layer
        norm, merge = layers
        envelopes = norm(_apply(self.blocks, x[..., 0]))
        return x * F.linear(envelopes.transpose(1, 2), merge.weight[..., 0], merge.bias + 1)
