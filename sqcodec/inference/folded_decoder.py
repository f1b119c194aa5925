"""The convolutional decoder for inference, stage by stage.

A stage comes in two steps, because its gate needs statistics of the whole clip between them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sqcodec.inference.folded import (
    FoldedConv,
    FoldedSnake,
    FoldedUnit,
    envelope,
    single,
    upsample_part,
)
from sqcodec.inference.parallel import for_blocks
from sqcodec.model.decoder import LastUnit
from sqcodec.model.tconv import TEConv


class Moments:
    """Mean and variance over time of ``[B, T, K]``, gathered segment by segment in float64."""

    def __init__(self) -> None:
        self.count = 0
        self.mean, self.squares = torch.zeros(1), torch.zeros(1)

    def update(self, x: Tensor) -> None:
        count = x.shape[1]
        if not x.shape[2]:  # a stage without a gate
            self.count += count
            return
        spread, mean = torch.var_mean(x.double(), dim=1, correction=0)
        if self.count == 0:
            self.count, self.mean, self.squares = count, mean, spread * count
            return
        total, delta = self.count + count, mean - self.mean
        self.squares = self.squares + spread * count + delta**2 * (self.count * count / total)
        self.mean = self.mean + delta * (count / total)
        self.count = total

    @property
    def variance(self) -> Tensor:
        """Biased variance ``[B, K]``."""
        return self.squares / self.count


class FoldedGate:
    """TEConv in two steps: `envelopes`, and the factor that they give under their statistics."""

    def __init__(self, module: TEConv) -> None:
        layers: Any = module.merge_layer
        self.norm, merge = layers
        branches: Any = module.blocks
        convs = [branch[1] for branch in branches]
        self.taps = [conv.weight[0, 0].tolist() for conv in convs]
        self.biases = [float(conv.bias.detach()) for conv in convs]
        self.dilations = [int(conv.dilation[0]) for conv in convs]
        self.merge = merge.weight[..., 0].detach().double().T
        self.merge_bias = merge.bias.detach().double() + 1

    def envelopes(self, signal: Tensor) -> Tensor:
        """``[B, T]`` to ``[B, T, K]``."""
        length = signal.shape[1]
        out = []
        for kernel, taps, bias, dilation in zip(
            TEConv.kernels, self.taps, self.biases, self.dilations, strict=True
        ):
            x = F.pad(envelope(signal, kernel), (3 * dilation, 3 * dilation))
            total = torch.full_like(signal, bias)
            for k, tap in enumerate(taps):
                total.add_(x[:, k * dilation : k * dilation + length], alpha=tap)
            out.append(total)
        return torch.stack(out, dim=-1)

    def factor(self, moments: Moments) -> tuple[Tensor, Tensor]:
        """Weights ``[B, K, C]`` and bias ``[C]`` that make the factor of centred envelopes.

        Centring is left to the caller, to be done first: an envelope's mean can be far larger
        than its spread, and a product with the mean in it would lose the digits that count.
        """
        scale = self.norm.weight.double() / torch.sqrt(moments.variance + self.norm.eps)
        bias = self.merge_bias + self.norm.bias.double() @ self.merge
        return single(scale[:, :, None] * self.merge), single(bias)


class FoldedStage:
    """Conv units, gate, upsampling by ``rate``; sees less than `radius` steps to each side."""

    def __init__(
        self, conv: nn.Conv1d | None, units: Iterable[Any], gate: nn.Module, up: Any
    ) -> None:
        self.conv = None if conv is None else FoldedConv(conv)
        self.units = [FoldedUnit(unit.module) for unit in units]
        self.gate = FoldedGate(gate) if isinstance(gate, TEConv) else None
        point, upsampling, self.norm = up
        self.channels: int = point.in_channels
        self.point, self.point_bias = single(point.weight[..., 0].T), single(point.bias)
        self.rate: int = upsampling.rate
        # conv, units, pooling and convolution of the widest branch, upsampling
        self.radius = 1 + 3 * len(self.units) + (2 * 4 + 3 * 5) + 2

    def prepare(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``x [B, T, C]`` (overwritten) through the units, and the gate's envelopes of it."""
        if self.conv is not None:
            x = self.conv(x)
        for unit in self.units:
            unit(x)
        if self.gate is None:
            return x, x.new_empty(*x.shape[:2], 0)
        return x, self.gate.envelopes(x[..., 0].contiguous())

    def finish(
        self, x: Tensor, envelopes: Tensor, moments: Moments, first: int, start: int, stop: int
    ) -> Tensor:
        """Gate and upsample what `prepare` gave: ``[B, (stop - start) * rate, C']``.

        Args:
            x, envelopes: a part of the whole, with neighbours around the steps wanted.
            moments: of the envelopes of the whole.
            first: where in the whole ``x`` starts.
            start, stop: the steps wanted, in the whole.
        """
        batch, length, channels = x.shape
        weight, bias = self.gate.factor(moments) if self.gate else (None, None)
        centred = (envelopes - moments.mean[:, None]).float()
        low = x.new_empty(batch, length, self.point.shape[1])
        for item in range(batch):

            def gate(begin: int, end: int, item: int = item) -> None:
                gated = x[item, begin:end]
                if weight is not None and bias is not None:
                    factor = torch.addmm(bias, centred[item, begin:end], weight[item])
                    gated = factor.mul_(gated)
                torch.addmm(self.point_bias, gated, self.point, out=low[item, begin:end])

            for_blocks(gate, length, channels, x.device)
        rate, wanted = self.rate, stop - start
        out = low.new_empty(batch, wanted * rate, low.shape[2])

        def upsample(begin: int, end: int) -> None:
            up = upsample_part(low, first, start + begin, start + end, rate, moments.count)
            out[:, begin * rate : end * rate] = self.norm(up)

        for_blocks(upsample, wanted, batch * low.shape[2] * rate, low.device)
        return out


class FoldedLast:
    """The last unit: ``[B, T, C]``, overwritten, to audio ``[B, T]``; sees `radius` steps aside."""

    radius = 3 * (1 + 3 + 9) + 3

    def __init__(self, unit: LastUnit) -> None:
        layers: Any = unit.block
        units, snake, conv = layers
        self.units = [FoldedDilated(residual.module.block) for residual in units]
        self.snake = FoldedSnake(snake)
        # [C, 7]: one column a tap
        self.weight = single(conv.weight[0].double() * self.snake.loss[:, None])
        self.gain, self.bias = single(self.snake.gain), float(conv.bias.detach())

    def __call__(self, x: Tensor) -> Tensor:
        spare = torch.empty_like(x)
        for unit in self.units:
            unit(x, spare)
            x, spare = spare, x
        batch, length, channels = x.shape
        out = x.new_empty(batch, length)

        def last(start: int, stop: int) -> None:
            near = snake_around(self.snake, self.gain, x, start, stop, 3)
            taps = near @ self.weight
            total = taps[:, : stop - start, 0] + self.bias
            for k in range(1, 7):
                total += taps[:, k : k + stop - start, k]
            torch.tanh(total, out=out[:, start:stop])

        for_blocks(last, length, batch * channels, x.device)
        return out


class FoldedDilated:
    """``x + conv1(snake(conv7(snake(x))))``."""

    def __init__(self, layers: Any) -> None:
        snake_in, conv, snake_mid, point = layers
        self.dilation = int(conv.dilation[0])
        self.snake_in, self.snake_mid = FoldedSnake(snake_in), FoldedSnake(snake_mid)
        gain, loss = self.snake_mid.gain, self.snake_in.loss
        self.gain = single(self.snake_in.gain)
        self.weight = single(conv.weight.double() * gain[:, None, None] * loss[:, None])[:, :, None]
        self.bias = single(conv.bias * gain)
        self.point = single(point.weight[..., 0].double() * self.snake_mid.loss)
        self.point_bias = single(point.bias)

    def __call__(self, x: Tensor, out: Tensor) -> None:
        """Write to ``out``, which is not ``x``: neighbours of what is written are read later."""

        def block(start: int, stop: int) -> None:
            near = snake_around(self.snake_in, self.gain, x, start, stop, 3 * self.dilation)
            near = near.transpose(1, 2).unsqueeze(2)
            h = F.conv2d(near, self.weight, self.bias, dilation=(1, self.dilation))
            u = self.snake_mid(h.squeeze(2).transpose(1, 2))
            h = F.linear(u, self.point, self.point_bias)
            torch.add(x[:, start:stop], h, out=out[:, start:stop])

        for_blocks(block, x.shape[1], x.shape[0] * x.shape[2], x.device)


def snake_around(
    snake: FoldedSnake, gain: Tensor, x: Tensor, start: int, stop: int, radius: int
) -> Tensor:
    """``snake(gain x)`` of steps start to stop and ``radius`` more on each side, zeros beyond."""
    first, last = max(0, start - radius), min(x.shape[1], stop + radius)
    u = snake(x[:, first:last] * gain)
    left, right = first - (start - radius), stop + radius - last
    return F.pad(u, (0, 0, left, right)) if left or right else u
