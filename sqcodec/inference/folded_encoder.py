"""The convolutional encoder for inference."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sqcodec.inference.folded import FoldedConv, FoldedDown, FoldedUnit, envelope, single
from sqcodec.inference.parallel import for_blocks
from sqcodec.model.encoder import Encoder
from sqcodec.model.tconv import TConv


class FoldedTConv:
    """The encoder's first unit: ``[B, T]`` to ``[B, T, C]``.

    The branches' convolutions and `conv_1` after them are one matrix product over the seven
    neighbours of every envelope.
    """

    def __init__(self, unit: TConv) -> None:
        mix = unit.conv_1.weight[..., 0].double()
        branches: Any = unit.blocks
        bank = [branch[1] for branch in branches]
        taps = torch.stack([conv.weight[:, 0].double() for conv in bank])  # [branch, m, 7]
        mixed = torch.einsum("obm,bmk->kbo", mix.view(len(mix), *taps.shape[:2]), taps)
        self.kernels = unit.kernels
        self.taps = single(mixed.flatten(0, 1))
        assert unit.conv_1.bias is not None
        assert unit.conv_2.bias is not None
        self.taps_bias = single(
            unit.conv_1.bias + mix @ torch.cat([conv.bias for conv in bank]).double()
        )
        out = unit.conv_2.weight[..., 0]
        self.out, self.out_audio = single(out[:, :-1].T), single(out[:, -1])
        self.out_bias = single(unit.conv_2.bias)

    def __call__(self, audio: Tensor) -> Tensor:
        bank = torch.stack([envelope(audio, kernel) for kernel in self.kernels], dim=-1)
        return self.mix(F.pad(bank, (0, 0, 3, 3)), audio)

    def mix(self, bank: Tensor, audio: Tensor) -> Tensor:
        """Envelopes ``[B, 3 + T + 3, K]``, contiguous, and the audio ``[B, T]`` to the output."""
        batch, length = audio.shape
        width = bank.shape[-1]
        out = audio.new_empty(batch, length, self.out.shape[1])
        for item in range(batch):
            first = bank[item].storage_offset()
            near = bank[item].as_strided((length, 7 * width), (width, 1), first)

            def pointwise(start: int, stop: int, near: Tensor = near, item: int = item) -> None:
                hidden = torch.addmm(self.taps_bias, near[start:stop], self.taps)
                block = torch.addmm(self.out_bias, torch.ops.aten.gelu_(hidden), self.out)
                here = audio[item, start:stop, None]
                torch.addcmul(block, here, self.out_audio, out=out[item, start:stop])

            for_blocks(pointwise, length, self.taps.shape[1], audio.device)
        return out


class FoldedEncoder:
    """The convolutional encoder: ``[B, T]`` to frames ``[B, F, C]``."""

    def __init__(self, encoder: Encoder) -> None:
        blocks: Any = encoder.blocks
        first, *rest, units, last = blocks
        self.first = FoldedTConv(first)
        self.stages = [
            ([FoldedUnit(u.module) for u in group], FoldedDown(*down))
            for group, down in zip(rest[::2], rest[1::2], strict=True)
        ]
        self.units = [FoldedUnit(u.module) for u in units]
        self.last = FoldedConv(last)
        # Steps seen to one side, added up at the rate of the audio.
        radius, rate = 2 * 22 + 3, 1
        for group, down in self.stages:
            radius += 3 * len(group) * rate
            rate *= down.rate
        radius += (3 * len(self.units) + 1) * rate
        self.radius_frames = -(-radius // rate) + 1

    def __call__(self, audio: Tensor) -> Tensor:
        x = self.first(audio)
        for units, down in self.stages:
            for unit in units:
                unit(x)
            x = down(x)
        for unit in self.units:
            unit(x)
        return self.last(x)
