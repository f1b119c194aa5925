"""Convolutions with weight norm, and the residual Conv unit with its norm and activation.

The whole network works on ``[B, T, C]``, channels last. Pointwise and strided convolutions are
then plain matrix products, norms need no transposition, and on the CPU the depthwise
convolutions run several times faster than on ``[B, C, T]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

_Layer = TypeVar("_Layer", nn.Conv1d, nn.Linear)

EPS = torch.finfo(torch.float32).eps
"""Guards the divisions of Snake, ChannelNorm and GRN in the published network."""

_STRETCH = 1 << 17
"""Values that elementwise work takes at a time: half a MiB, a part of a core's cache."""

_initialise: ContextVar[bool] = ContextVar("initialise", default=True)


@contextmanager
def uninitialised() -> Iterator[None]:
    """Spare layers made here their draw of initial weights, which loading overwrites."""
    token = _initialise.set(False)
    try:
        yield
    finally:
        _initialise.reset(token)


def conv1d(
    in_channels: int,
    out_channels: int,
    kernel: int,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> nn.Conv1d:
    """A weight-normalised convolution, initialised as published.

    Other starts fail: with Kaiming-like weights the decoder's tanh saturates at the first step.
    """
    layer = nn.Conv1d(
        in_channels,
        out_channels,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    return _normalised(layer)


def linear(in_features: int, out_features: int) -> nn.Linear:
    """A weight-normalised linear layer, initialised as published."""
    return _normalised(nn.Linear(in_features, out_features))


def _normalised(layer: _Layer) -> _Layer:
    if _initialise.get():
        # The default bounds are 100 standard deviations away, where float32 rounding of the uniform
        # draw behind it puts about one weight in 2^24.
        nn.init.trunc_normal_(layer.weight, std=0.02, a=-0.2, b=0.2)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return weight_norm(layer)  # type: ignore[no-any-return]


def convolve(layer: nn.Conv1d, x: Tensor) -> Tensor:
    """Apply ``layer`` to ``[B, T, C]``; its parameters keep the shapes of a Conv1d."""
    return convolve_with(x, layer.weight, layer.bias, layer)


def convolve_with(x: Tensor, weight: Tensor, bias: Tensor | None, like: nn.Conv1d) -> Tensor:
    """`convolve` with other parameters than those of ``like``, which gives the geometry."""
    kernel, stride = like.kernel_size[0], like.stride[0]
    if kernel == stride:  # pointwise, or one output for each run of inputs
        x = x.reshape(x.shape[0], -1, kernel * x.shape[2]) if kernel > 1 else x
        return F.linear(x, weight.transpose(1, 2).flatten(1), bias)
    # Within conv2d a bias has a gradient that is summed against the order of memory, which takes
    # longer than all the rest of a depthwise backward pass.
    apart = bias is not None and bias.requires_grad and torch.is_grad_enabled()
    out = F.conv2d(
        x.transpose(1, 2).unsqueeze(2),  # a view: [B, C, 1, T] in the channels_last format
        weight.unsqueeze(2),
        None if apart else bias,
        padding=(0, int(like.padding[0])),
        dilation=(1, like.dilation[0]),
        groups=like.groups,
    )
    out = out.squeeze(2).transpose(1, 2)
    return out.add_(bias.to(out.dtype)) if apart and bias is not None else out


def upsample(x: Tensor, rate: int) -> Tensor:
    """Linear interpolation of ``[B, T, C]`` to ``[B, T * rate, C]``, ends held."""
    # Bilinear over a height of 1: the same values, and it has a kernel for channels last.
    up = F.interpolate(
        x.transpose(1, 2).unsqueeze(2), scale_factor=(1.0, float(rate)), mode="bilinear"
    )
    return up.squeeze(2).transpose(1, 2)


class Snake(nn.Module):
    """``x + sin(alpha x)^2 / (alpha + EPS)``, alpha per channel.

    Args:
        channels: number of channels.
        shape: of alpha, as the published files have it.
    """

    def __init__(self, channels: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels).view(shape))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = _Snake.apply(x, self.alpha.flatten())  # type: ignore[no-untyped-call]
        return out


class _Snake(torch.autograd.Function):
    """Snake with fewer passes over memory, and fewer kept tensors, than autograd would need.

    On a CPU all operations are done on one stretch of rows after the other, which stay in its
    cache meanwhile. Values are computed in alpha's precision, whatever that of ``x``.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, alpha: Tensor) -> Tensor:
        out, inverse = _written(x), 1 / (alpha + EPS)
        for rows, result in _stretches(x, out):
            values = rows.to(alpha.dtype)
            sine = torch.mul(values, alpha).sin_()
            _store(values, sine, sine * inverse, result)
        ctx.save_for_backward(x, alpha, out)  # the layer that follows keeps `out` anyway
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        x, alpha, out = ctx.saved_tensors
        inverse = 1 / (alpha + EPS)
        twice, slope = 2 * alpha, alpha * inverse
        grad_x, grad_alpha = _written(x), torch.zeros_like(alpha)
        # With s = sin(2 alpha x): d/dx = 1 + alpha inverse s, and, as the forward's own term is
        # out - x, d/dalpha = inverse (x s - (out - x)): one sine, and no cosine.
        for rows, result, given, target in _stretches(x, out, grads[0], grad_x):
            values, grad = rows.to(alpha.dtype), given.to(alpha.dtype)
            sine = torch.mul(values, twice).sin_()
            over_alpha = torch.sub(values, result).addcmul_(values, sine).mul_(grad)
            grad_alpha += over_alpha.sum(0)
            _store(grad, grad, sine.mul_(slope), target)
        return grad_x, grad_alpha.mul_(inverse)


def _store(a: Tensor, b: Tensor, c: Tensor, target: Tensor) -> None:
    """``target = a + b c``, rounded to the target's precision."""
    if target.dtype == a.dtype:
        torch.addcmul(a, b, c, out=target)
    else:
        target.copy_(torch.addcmul(a, b, c))


def _written(like: Tensor) -> Tensor:
    """An empty tensor whose rows `_stretches` gives as views, whatever the strides of ``like``."""
    return torch.empty(like.shape, dtype=like.dtype, device=like.device)


def _stretches(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Rows of ``[..., C]`` tensors in stretches that fit the cache of a CPU; else all at once."""
    rows = [tensor.flatten(0, -2) for tensor in tensors]
    if rows[0].device.type != "cpu" or torch.compiler.is_compiling():
        return iter([tuple(rows)])
    # An operation is divided among threads: each should get its own cache's fill.
    length = max(1, _STRETCH * torch.get_num_threads() // rows[0].shape[1])
    return zip(*(torch.split(tensor, length) for tensor in rows), strict=True)


class ChannelNorm(nn.Module):
    """LayerNorm over the channels at each time step."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, EPS)


class GRN(nn.Module):
    """The affine map ``(1 + gamma) x + beta``.

    The published layer computes ``gamma x g / (g + EPS) + beta + x`` with g the L2 norm of the
    whole item. As ``|x| <= g``, leaving out the factor moves no value by more than
    ``|gamma| EPS``, which is below float32 rounding, and lets the map fold into the next layer.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, channels))
        self.beta = nn.Parameter(torch.zeros(1, channels))

    def fold(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The linear layer ``(weight [out, C], bias [out])`` with this map put in front of it."""
        return weight * (1 + self.gamma), torch.addmv(bias, weight, self.beta[0])

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.beta, x, 1 + self.gamma)


class ConvUnit(nn.Module):
    """The residual branch of a Conv unit: depthwise k7, norm, C -> 4C, Snake, GRN, 4C -> C."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dw_conv = conv1d(channels, channels, 7, padding=3, groups=channels)
        self.norm = ChannelNorm(channels)
        self.pw_conv1 = linear(channels, 4 * channels)
        self.act = Snake(4 * channels, (1, 1, -1))
        self.grn = GRN(4 * channels)
        self.pw_conv2 = linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.pw_conv1(self.norm(convolve(self.dw_conv, x))))
        return F.linear(h, *self.grn.fold(self.pw_conv2.weight, self.pw_conv2.bias))


class Residual(nn.Module):
    """``x + module(x)``."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.module(x)
        return out


class Sequence(nn.Sequential):
    """One module after the other, on ``[B, T, C]``; convolutions go through `convolve`."""

    def forward(self, x: Tensor) -> Tensor:
        for module in self:
            x = convolve(module, x) if isinstance(module, nn.Conv1d) else module(x)
        return x


def conv_units(channels: int, depth: int) -> Sequence:
    """``depth`` residual Conv units."""
    return Sequence(*[Residual(ConvUnit(channels)) for _ in range(depth)])
