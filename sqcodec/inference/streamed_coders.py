"""The two halves of the network as chains of streamed layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from sqcodec.inference.engine import Engine
from sqcodec.inference.folded import single
from sqcodec.inference.folded_decoder import FoldedDilated, FoldedGate, FoldedLast, FoldedStage
from sqcodec.inference.folded_encoder import FoldedTConv
from sqcodec.inference.norms import NormStatistics, RunningNorm
from sqcodec.inference.streamed import (
    Aligned,
    Chain,
    Neighbours,
    Streamed,
    StreamedConv,
    StreamedDown,
    StreamedEnvelope,
    StreamedUnit,
    StreamedUpsample,
)
from sqcodec.inference.streamed_transformer import StreamedTransformer
from sqcodec.model.tconv import TEConv


def encoder_chain(engine: Engine) -> Chain:
    """Audio ``[1, T]`` to what the quantizer gets, ``[1, N, C]``."""
    encoder, tokens = engine.encoder, engine.token_encoder
    layers: list[Streamed] = [_TConv(encoder.first)]
    for units, down in encoder.stages:
        layers += [*map(StreamedUnit, units), StreamedDown(down)]
    layers += [*map(StreamedUnit, encoder.units), StreamedConv(encoder.last)]
    if tokens.down is not None:
        layers += [StreamedTransformer(tokens.down), StreamedDown(tokens.down_layer)]
    return Chain([*layers, StreamedTransformer(tokens.local)])


def decoder_chain(engine: Engine, norms: Sequence[RunningNorm | None]) -> Chain:
    """Quantized features ``[1, N, C]`` to audio ``[1, T]``; a norm for each stage with a gate."""
    tokens = engine.token_decoder
    layers: list[Streamed] = [StreamedTransformer(tokens.local)]
    if tokens.up is not None:
        layers += [StreamedUpsample(tokens.rate), StreamedTransformer(tokens.up)]
    for stage, norm in zip(engine.stages, norms, strict=True):
        if stage.conv is not None:
            layers.append(StreamedConv(stage.conv))
        layers += map(StreamedUnit, stage.units)
        layers += [_Gated(stage, norm), StreamedUpsample(stage.rate), _Norm(stage)]
    last = engine.last
    return Chain([*layers, *map(_Dilated, last.units), _Last(last)])


def running_norms(
    engine: Engine, statistics: NormStatistics | None, seconds: float
) -> list[RunningNorm | None]:
    """A norm for each decoder stage: statistics known beforehand, worth so many seconds."""
    config, rate = engine.config, engine.config.sample_rate / engine.config.frame_hop
    norms: list[RunningNorm | None] = []
    for index, stage in enumerate(engine.stages):
        if stage.gate is None:
            norms.append(None)
        else:
            count = len(TEConv.kernels)
            mean = statistics.means[index] if statistics else (0.0,) * count
            variance = statistics.variances[index] if statistics else (0.0,) * count
            weight = seconds * rate if statistics else 0.0
            norms.append(RunningNorm(mean, variance, weight, stage.gate.norm.eps))
        rate *= config.decoder_rates[index]
    return norms


class _TConv(Streamed):
    def __init__(self, folded: FoldedTConv) -> None:
        self.folded, self.near = folded, Neighbours(3)
        self.envelopes = [StreamedEnvelope(kernel) for kernel in folded.kernels]
        self.aligned = Aligned(len(self.envelopes))

    def push(self, x: Tensor) -> Tensor:
        return self._mixed(self.aligned([envelope.push(x) for envelope in self.envelopes]))

    def flush(self, like: Tensor) -> Tensor:
        bank = self.aligned([envelope.flush(like) for envelope in self.envelopes])
        return self._mixed(torch.cat([bank, self.near.zeros(bank)], dim=1))

    def _mixed(self, bank: Tensor) -> Tensor:
        near = self.near(bank)
        # The first branch does not pool: it is the audio itself.
        audio = self.near.centre(near)[..., 0].contiguous()
        return self.folded.mix(near, audio)


class _Gated(Streamed):
    """A stage's gate, and the pointwise convolution behind it."""

    def __init__(self, stage: FoldedStage, norm: RunningNorm | None) -> None:
        self.stage, self.norm = stage, norm
        self._held: Tensor | None = None
        if stage.gate is not None:
            gate = self.gate = stage.gate
            self.envelopes = [_Envelope(gate, index) for index in range(len(gate.taps))]
            self.aligned = Aligned(len(self.envelopes))
            self.weight = single(gate.norm.weight.double()[:, None] * gate.merge)
            self.bias = single(gate.merge_bias + gate.norm.bias.double() @ gate.merge)

    def push(self, x: Tensor) -> Tensor:
        if self.norm is None:
            return self._point(x)
        signal = x[..., 0].contiguous()
        self._held = x if self._held is None else torch.cat([self._held, x], dim=1)
        return self._ahead([envelope.push(signal) for envelope in self.envelopes])

    def flush(self, like: Tensor) -> Tensor:
        if self.norm is None:
            return self._point(like)
        return self._ahead([envelope.flush(like[..., 0]) for envelope in self.envelopes])

    def _ahead(self, envelopes: list[Tensor]) -> Tensor:
        assert self.norm is not None
        assert self._held is not None
        found = self.aligned(envelopes)
        x, count = self._held, found.shape[1]
        self._held = x[:, count:].clone()
        factor = torch.addmm(self.bias, self.norm(found[0]), self.weight)
        return self._point((factor * x[0, :count])[None])

    def _point(self, x: Tensor) -> Tensor:
        return torch.addmm(self.stage.point_bias, x[0], self.stage.point)[None]


class _Envelope(Streamed):
    """A branch of a gate: envelope and convolution of one signal."""

    def __init__(self, gate: FoldedGate, index: int) -> None:
        self.taps, self.bias = gate.taps[index], gate.biases[index]
        self.dilation = gate.dilations[index]
        self.envelope = StreamedEnvelope(TEConv.kernels[index])
        self.near = Neighbours(3 * self.dilation)

    def push(self, x: Tensor) -> Tensor:
        return self._convolved(self.envelope.push(x))

    def flush(self, like: Tensor) -> Tensor:
        return self._convolved(torch.cat([self.envelope.flush(like), self.near.zeros(like)], dim=1))

    def _convolved(self, x: Tensor) -> Tensor:
        near = self.near(x)
        count = self.near.count(near)
        total = x.new_full((1, count), self.bias)
        for k, tap in enumerate(self.taps):
            total.add_(near[:, k * self.dilation : k * self.dilation + count], alpha=tap)
        return total


class _Norm(Streamed):
    def __init__(self, stage: FoldedStage) -> None:
        self.norm = stage.norm

    def push(self, x: Tensor) -> Tensor:
        normed: Tensor = self.norm(x)
        return normed


class _Dilated(Streamed):
    """A residual unit at the full rate."""

    def __init__(self, unit: FoldedDilated) -> None:
        self.unit = unit
        self.near, self.signal = Neighbours(3 * unit.dilation), Neighbours(3 * unit.dilation)

    def push(self, x: Tensor) -> Tensor:
        unit = self.unit
        near = self.near(unit.snake_in(x * unit.gain))
        out = self.signal.centre(self.signal(x))
        if not out.shape[1]:
            return out
        view = near.transpose(1, 2).unsqueeze(2)
        h = F.conv2d(view, unit.weight, unit.bias, dilation=(1, unit.dilation))
        u = unit.snake_mid(h.squeeze(2).transpose(1, 2))
        return out + F.linear(u, unit.point, unit.point_bias)

    def flush(self, like: Tensor) -> Tensor:
        return self.push(self.signal.zeros(like))


class _Last(Streamed):
    """The last convolution, ``[1, T, C]`` to audio ``[1, T]``."""

    def __init__(self, last: FoldedLast) -> None:
        self.last, self.near = last, Neighbours(3)

    def push(self, x: Tensor) -> Tensor:
        near = self.near(self.last.snake(x * self.last.gain))
        count = self.near.count(near)
        taps = near[0] @ self.last.weight
        total = taps.new_full((1, count), self.last.bias)
        for k in range(7):
            total[0] += taps[k : k + count, k]
        return total.tanh_()

    def flush(self, like: Tensor) -> Tensor:
        return self.push(self.near.zeros(like))
