"""Layers that get their input piece by piece and give back what it is enough for.

All together, pieces give what the whole would: a layer begins with the zeros that pad the whole on
the left, keeps what its next outputs look back at, and with `flush` gets the zeros on the right. So
edges are those of the whole, layer by layer. One stream is one clip: tensors are ``[1, T, C]``, or
``[1, T]`` for signals, and T may be 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from sqcodec.inference.folded import (
    EXACT_POSITIONS_FROM,
    FoldedConv,
    FoldedDown,
    FoldedUnit,
    running_max,
    running_sum,
    upsampled_positions,
)
from sqcodec.inference.latency import upsampled_to


class Streamed(ABC):
    """A layer with what it keeps of the past."""

    @abstractmethod
    def push(self, x: Tensor) -> Tensor:
        """What the next steps of the input make known."""

    def flush(self, like: Tensor) -> Tensor:
        """What remains when the input has ended; ``like`` is an empty piece of it."""
        return self.push(like)


class Chain(Streamed):
    """One layer after the other."""

    def __init__(self, layers: Sequence[Streamed]) -> None:
        self.layers = layers

    def push(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer.push(x)
        return x

    def flush(self, like: Tensor) -> Tensor:
        x = like
        for layer in self.layers:
            pushed = layer.push(x)
            x = torch.cat([pushed, layer.flush(x[:, :0])], dim=1)
        return x


class Neighbours:
    """The input with what lies ``radius`` steps around the next outputs."""

    def __init__(self, radius: int) -> None:
        self.radius = radius
        self._held: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """``[1, radius + n + radius, ...]`` around n new outputs; shorter if there are none yet."""
        if self._held is None:
            self._held = self.zeros(x)
        near = torch.cat([self._held, x], dim=1)
        # A copy: layers overwrite what they are given.
        self._held = near[:, max(0, near.shape[1] - 2 * self.radius) :].clone()
        return near

    def zeros(self, like: Tensor) -> Tensor:
        """What pads an end."""
        return like.new_zeros(1, self.radius, *like.shape[2:])

    def count(self, near: Tensor) -> int:
        """Outputs that ``near`` is enough for."""
        return max(0, near.shape[1] - 2 * self.radius)

    def centre(self, near: Tensor) -> Tensor:
        """The steps of ``near`` that outputs belong to."""
        return near[:, self.radius : self.radius + self.count(near)]


class StreamedUnit(Streamed):
    """A residual Conv unit."""

    def __init__(self, unit: FoldedUnit) -> None:
        self.unit, self.near = unit, Neighbours(3)

    def push(self, x: Tensor) -> Tensor:
        near = self.near(x)
        out = self.near.centre(near)
        if out.shape[1]:
            view = near.transpose(1, 2).unsqueeze(2)
            weight, bias = self.unit.depthwise, self.unit.depthwise_bias
            h = F.conv2d(view, weight, bias, groups=x.shape[2]).squeeze(2).transpose(1, 2)
            self.unit.add(h.reshape(-1, x.shape[2]), out[0])
        return out

    def flush(self, like: Tensor) -> Tensor:
        return self.push(self.near.zeros(like))


class StreamedConv(Streamed):
    """A dense convolution."""

    def __init__(self, conv: FoldedConv) -> None:
        self.conv, self.near = conv, Neighbours(conv.padding)

    def push(self, x: Tensor) -> Tensor:
        near = self.near(x)
        if not self.near.count(near):
            return x.new_empty(1, 0, self.conv.weight.shape[0])
        return self.conv(near, padding=0)

    def flush(self, like: Tensor) -> Tensor:
        return self.push(self.near.zeros(like))


class StreamedDown(Streamed):
    """A strided convolution (kernel = stride): waits for whole runs of inputs."""

    def __init__(self, down: FoldedDown) -> None:
        self.down = down
        self._held: Tensor | None = None

    def push(self, x: Tensor) -> Tensor:
        x = x if self._held is None else torch.cat([self._held, x], dim=1)
        whole = x.shape[1] // self.down.rate * self.down.rate
        self._held = x[:, whole:].clone()
        return self.down(x[:, :whole])


class StreamedEnvelope(Streamed):
    """`TPooling` of a signal ``[1, T]``."""

    def __init__(self, kernel: int) -> None:
        self.kernel = kernel
        self.signal, self.peaks = Neighbours(kernel // 2), Neighbours(kernel // 2)

    def push(self, x: Tensor) -> Tensor:
        return x if self.kernel == 1 else self._mean(self._maximum(x.abs()))

    def flush(self, like: Tensor) -> Tensor:
        if self.kernel == 1:
            return like
        # Beyond the end the maxima are zeros, whatever of the signal they would reach.
        peaks = self._maximum(self.signal.zeros(like))
        return self._mean(torch.cat([peaks, self.peaks.zeros(like)], dim=1))

    def _maximum(self, magnitudes: Tensor) -> Tensor:
        near = self.signal(magnitudes)
        enough = self.signal.count(near)
        return running_max(near, self.kernel) if enough else near[:, :0]

    def _mean(self, peaks: Tensor) -> Tensor:
        near = self.peaks(peaks)
        enough = self.peaks.count(near)
        return running_sum(near, self.kernel) / self.kernel if enough else near[:, :0]


class Aligned:
    """Signals that come with different delays, as one of several channels."""

    def __init__(self, count: int) -> None:
        self._held: list[Tensor | None] = [None] * count

    def __call__(self, signals: Sequence[Tensor]) -> Tensor:
        """New pieces ``[1, n_k]`` of each to ``[1, n, K]``, as far as all are known."""
        whole = [
            new if held is None else torch.cat([held, new], dim=1)
            for held, new in zip(self._held, signals, strict=True)
        ]
        count = min(signal.shape[1] for signal in whole)
        self._held = [signal[:, count:].clone() for signal in whole]
        return torch.stack([signal[:, :count] for signal in whole], dim=-1)


class StreamedUpsample(Streamed):
    """Linear upsampling, with the positions of `upsample_part`.

    A stream has no end from which to know whether positions are to be exact: they are from
    `EXACT_POSITIONS_FROM` on, and as published before.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._held: Tensor | None = None
        self._first = self._received = self._given = 0

    def push(self, x: Tensor) -> Tensor:
        self._held = x if self._held is None else torch.cat([self._held, x], dim=1)
        self._received += x.shape[1]
        return self._up_to(upsampled_to(self._received, self.rate), ended=False)

    def flush(self, like: Tensor) -> Tensor:
        return self._up_to(self._received * self.rate, ended=True)

    def _up_to(self, stop: int, *, ended: bool) -> Tensor:
        held = self._held
        assert held is not None
        index = torch.arange(self._given, stop, device=held.device)
        published = upsampled_positions(index, self.rate, exact=False).double()
        right = upsampled_positions(index, self.rate, exact=True)
        position = torch.where(index < EXACT_POSITIONS_FROM, published, right)
        below = position.long().clamp_(max=max(0, self._received - 1))
        above = below + 1
        if not ended and stop > self._given:  # rounded positions may reach further than they should
            known = int((above < self._received).sum())
            position, below, above = position[:known], below[:known], above[:known]
        above = above.clamp_(max=max(0, self._received - 1))
        if not len(below):
            return held[:, :0]
        weight = (position - below).float()[:, None]
        low = held.index_select(1, below - self._first)
        out = low.lerp_(held.index_select(1, above - self._first), weight)
        self._given += len(below)
        keep = max(self._first, int(below[-1]) - 1)  # rounding may go back by one
        self._held, self._first = held[:, keep - self._first :].clone(), keep
        return out
