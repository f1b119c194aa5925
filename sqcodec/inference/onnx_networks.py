"""The network once more, of operations that ONNX has, for `sqcodec.inference.onnx_export` to trace.

Made from the folded layers, with their values. One clip, a whole number of windows: audio
``[1, T]``, codes ``[1, N]``; inside ``[1, T, C]``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sqcodec.inference.engine import Engine
from sqcodec.inference.folded import (
    FoldedConv,
    FoldedDown,
    FoldedSnake,
    FoldedUnit,
    single,
    upsampled_positions,
)
from sqcodec.inference.folded_decoder import FoldedDilated, FoldedGate, FoldedLast, FoldedStage
from sqcodec.inference.folded_encoder import FoldedTConv
from sqcodec.inference.folded_transformer import FoldedTransformer
from sqcodec.model.conv import EPS
from sqcodec.model.fsq import FSQ
from sqcodec.model.tconv import TEConv, TPooling
from sqcodec.model.transformer import HEAD_DIM, HEADS


class EncoderNetwork(nn.Module):
    """Audio ``[1, T]`` to codes ``[1, N]``."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        encoder, tokens = engine.encoder, engine.token_encoder
        layers: list[nn.Module] = [_TConv(encoder.first)]
        for units, down in encoder.stages:
            layers += [*map(_Unit, units), _Down(down)]
        layers += [*map(_Unit, encoder.units), _Conv(encoder.last)]
        if tokens.down is not None:
            layers += [_Transformer(tokens.down), _Down(tokens.down_layer)]
        self.layers = nn.Sequential(*layers, _Transformer(tokens.local))
        self.quantizer = engine.quantizer

    def forward(self, audio: Tensor) -> Tensor:
        codes: Tensor = self.quantizer.encode(self.layers(audio))
        return codes


class DecoderNetwork(nn.Module):
    """Codes ``[1, N]`` to audio ``[1, T]``."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        tokens = engine.token_decoder
        layers: list[nn.Module] = [_Transformer(tokens.local)]
        if tokens.up is not None:
            layers += [_Upsample(tokens.rate), _Transformer(tokens.up)]
        for stage in engine.stages:
            if stage.conv is not None:
                layers.append(_Conv(stage.conv))
            layers += map(_Unit, stage.units)
            if stage.gate is not None:
                layers.append(_Gate(stage.gate))
            layers += [_point(stage), _Upsample(stage.rate), stage.norm]
        last = engine.last
        self.layers = nn.Sequential(*layers, *map(_Dilated, last.units), _Last(last))
        self.quantizer: FSQ = engine.quantizer

    def forward(self, codes: Tensor) -> Tensor:
        audio: Tensor = self.layers(self.quantizer.decode(codes))
        return audio


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A layer of folded values: weight ``[in, out]``."""
    layer = nn.Linear(weight.shape[0], weight.shape[1], bias=bias is not None)
    layer.weight = nn.Parameter(weight.T.contiguous(), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.clone(), requires_grad=False)
    return layer


def _point(stage: FoldedStage) -> nn.Linear:
    return _linear(stage.point, stage.point_bias)


def _conv1d(x: Tensor, weight: Tensor, bias: Tensor, groups: int = 1, dilation: int = 1) -> Tensor:
    """``[1, T, C]`` with ``same`` padding."""
    padding = weight.shape[2] // 2 * dilation
    out = F.conv1d(x.transpose(1, 2), weight, bias, 1, padding, dilation, groups)
    return out.transpose(1, 2)


class _Snake(nn.Module):
    """`FoldedSnake`, on values that its gain is in already."""

    alpha: Tensor | None
    inverse: Tensor

    def __init__(self, snake: FoldedSnake) -> None:
        super().__init__()
        self.register_buffer("alpha", snake.alpha)
        self.register_buffer("inverse", None if snake.alpha is None else snake.inverse)

    def forward(self, u: Tensor) -> Tensor:
        if self.alpha is None:
            return u + torch.sin(u).square()
        return u + torch.sin(u * self.alpha).square() * self.inverse


class _Unit(nn.Module):
    weight: Tensor
    bias: Tensor

    def __init__(self, unit: FoldedUnit) -> None:
        super().__init__()
        self.register_buffer("weight", unit.depthwise[:, :, 0])
        self.register_buffer("bias", unit.depthwise_bias)
        self.up, self.snake = _linear(unit.up, unit.up_bias), _Snake(unit.snake)
        self.down = _linear(unit.down, unit.down_bias)

    def forward(self, x: Tensor) -> Tensor:
        channels = self.weight.shape[0]
        h = _conv1d(x, self.weight, self.bias, groups=channels)
        h = F.layer_norm(h, (channels,), eps=EPS)
        out: Tensor = x + self.down(self.snake(self.up(h)))
        return out


class _TConv(nn.Module):
    weight: Tensor
    bias: Tensor
    audio: Tensor

    def __init__(self, folded: FoldedTConv) -> None:
        super().__init__()
        self.envelopes = nn.ModuleList(TPooling(kernel) for kernel in folded.kernels)
        taps = folded.taps.view(7, len(folded.kernels), -1)
        self.register_buffer("weight", taps.permute(2, 1, 0).contiguous())
        self.register_buffer("bias", folded.taps_bias)
        self.out = _linear(folded.out, folded.out_bias)
        self.register_buffer("audio", folded.out_audio)

    def forward(self, audio: Tensor) -> Tensor:
        bank = torch.stack([pool(audio[:, None])[:, 0] for pool in self.envelopes], dim=-1)
        hidden = F.gelu(_conv1d(bank, self.weight, self.bias))
        out: Tensor = self.out(hidden) + audio[..., None] * self.audio
        return out


class _Down(nn.Module):
    def __init__(self, down: FoldedDown) -> None:
        super().__init__()
        self.rate, self.norm = down.rate, down.norm
        self.linear = _linear(down.weight.T, down.bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(x.reshape(1, -1, self.rate * x.shape[2]))
        return out if self.norm is None else self.norm(out)


class _Conv(nn.Module):
    weight: Tensor
    bias: Tensor

    def __init__(self, conv: FoldedConv) -> None:
        super().__init__()
        self.register_buffer("weight", conv.weight[:, :, 0])
        self.register_buffer("bias", conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        return _conv1d(x, self.weight, self.bias)


class _Transformer(nn.Module):
    """A `LocalTransformer` over whole windows: one product for all of them, the first masked."""

    bias: Tensor

    def __init__(self, folded: FoldedTransformer) -> None:
        super().__init__()
        self.window, self.eps = folded.window, folded.layers[0].norm_eps
        # Finite: some runtimes make NaN of an infinite mask.
        self.register_buffer("bias", folded.bias.clamp(min=-1e30)[None])
        names = ("qkv", "out", "value", "gate", "down")
        self.layers = nn.ModuleList()
        for layer in folded.layers:
            parts = {
                name: _linear(getattr(layer, name), getattr(layer, f"{name}_bias", None))
                for name in names
            }
            self.layers.append(nn.ModuleDict(parts))

    def forward(self, x: Tensor) -> Tensor:
        dim, window = x.shape[2], self.window
        # [windows, 1, 1, 2 * window]: nothing is before the first one.
        first = torch.arange(x.shape[1] // window, device=x.device)[:, None, None, None] == 0
        before = torch.arange(2 * window, device=x.device) < window
        mask = self.bias + torch.where(first & before, -1e30, 0.0)
        for parts in self.layers:
            assert isinstance(parts, nn.ModuleDict)
            qkv = parts["qkv"](F.layer_norm(x, (dim,), eps=self.eps))
            # [3, windows, heads, window, head_dim]
            q, k, v = qkv.reshape(-1, window, 3, HEADS, HEAD_DIM).permute(2, 0, 3, 1, 4).unbind(0)
            k, v = (torch.cat([_shifted(t), t], dim=2) for t in (k, v))
            scores = torch.matmul(q, k.transpose(2, 3)) + mask
            out = torch.matmul(scores.softmax(-1), v)
            x = x + parts["out"](out.transpose(1, 2).reshape(1, -1, HEADS * HEAD_DIM))
            normed = F.layer_norm(x, (dim,), eps=self.eps)
            x = x + parts["down"](parts["value"](normed) * F.gelu(parts["gate"](normed)))
        return x


def _shifted(t: Tensor) -> Tensor:
    """Each window ``[n, ...]`` replaced by the one before, the first by zeros."""
    return torch.cat([torch.zeros_like(t[:1]), t], dim=0)[:-1]


class _Upsample(nn.Module):
    """With the positions of the published network, rounded as there."""

    def __init__(self, rate: int) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        index = torch.arange(length * self.rate, device=x.device)
        position = upsampled_positions(index, self.rate, exact=False)
        below = position.floor().clamp(max=length - 1)
        weight = (position - below)[:, None]
        low = below.long()
        high = (low + 1).clamp(max=length - 1)
        x_low = x.index_select(1, low)
        return x_low + weight * (x.index_select(1, high) - x_low)


class _Gate(nn.Module):
    taps: Tensor
    biases: Tensor

    def __init__(self, gate: FoldedGate) -> None:
        super().__init__()
        self.envelopes = nn.ModuleList(TPooling(kernel) for kernel in TEConv.kernels)
        self.dilations = gate.dilations
        self.register_buffer("taps", torch.tensor(gate.taps)[:, None, None])
        self.register_buffer("biases", torch.tensor(gate.biases)[:, None])
        norm = gate.norm
        self.eps = norm.eps
        self.merge = _linear(
            single(norm.weight.double()[:, None] * gate.merge),
            single(gate.merge_bias + norm.bias.double() @ gate.merge),
        )

    def forward(self, x: Tensor) -> Tensor:
        signal = x[:, None, :, 0]
        branches = [
            F.conv1d(
                pool(signal), self.taps[i], self.biases[i], padding=3 * dilation, dilation=dilation
            )
            for i, (pool, dilation) in enumerate(zip(self.envelopes, self.dilations, strict=True))
        ]
        # In float64: a mean can be far larger than the spread.
        bank = torch.cat(branches, dim=1).transpose(1, 2).double()
        centred = bank - bank.mean(1, keepdim=True)
        variance = centred.square().mean(1, keepdim=True)
        factor: Tensor = self.merge((centred / torch.sqrt(variance + self.eps)).float())
        return x * factor


class _Dilated(nn.Module):
    gain: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, unit: FoldedDilated) -> None:
        super().__init__()
        self.dilation = unit.dilation
        self.snake_in, self.snake_mid = _Snake(unit.snake_in), _Snake(unit.snake_mid)
        self.register_buffer("gain", unit.gain)
        self.register_buffer("weight", unit.weight[:, :, 0])
        self.register_buffer("bias", unit.bias)
        self.point = _linear(unit.point.T, unit.point_bias)

    def forward(self, x: Tensor) -> Tensor:
        u = self.snake_in(x * self.gain)
        h = _conv1d(u, self.weight, self.bias, dilation=self.dilation)
        out: Tensor = x + self.point(self.snake_mid(h))
        return out


class _Last(nn.Module):
    gain: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, last: FoldedLast) -> None:
        super().__init__()
        self.snake = _Snake(last.snake)
        self.register_buffer("gain", last.gain)
        self.register_buffer("weight", last.weight[None].contiguous())
        self.register_buffer("bias", torch.tensor([last.bias]))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(_conv1d(self.snake(x * self.gain), self.weight, self.bias)[..., 0])
