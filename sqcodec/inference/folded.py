"""Convolutional layers for inference: same values, fewer passes over memory.

Weight norm is computed once; the affine maps of norms and of GRN, and the scale of Snake, are
folded into the neighbouring matrix products; whatever is wider than the signal lives only in
blocks that stay in the cache. Layers take ``[B, T, C]`` tensors of float32, contiguous, and may
overwrite them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sqcodec.inference.parallel import for_blocks
from sqcodec.model.conv import EPS, ConvUnit, Snake

_MIN_ALPHA = 1 / 32


def single(value: Tensor) -> Tensor:
    """A folded parameter: computed in float64, used in float32."""
    return value.detach().float().contiguous()


class FoldedSnake:
    """Snake as ``u + sin(u)^2``, on ``u = gain x`` and to be multiplied by ``loss`` afterwards.

    With gain = alpha and loss = 1 / (alpha + EPS) this is Snake but for a relative EPS / alpha
    of x. Where some alpha is too small for that, gain and loss are 1 and `__call__` does it all.
    """

    def __init__(self, snake: Snake) -> None:
        alpha = snake.alpha.detach().flatten().double()
        self.alpha: Tensor | None = None
        if bool(alpha.abs().min() >= _MIN_ALPHA):
            self.gain, self.loss = alpha, 1 / (alpha + EPS)
        else:
            self.gain = self.loss = torch.ones_like(alpha)
            self.alpha, self.inverse = single(alpha), single(1 / (alpha + EPS))

    def __call__(self, u: Tensor) -> Tensor:
        """Overwrite ``u``."""
        if self.alpha is None:
            sine = torch.sin(u)
            return u.addcmul_(sine, sine)
        sine = torch.mul(u, self.alpha).sin_()
        return u.addcmul_(sine.square_(), self.inverse)


class FoldedUnit:
    """A residual Conv unit, on ``x`` in place."""

    def __init__(self, unit: ConvUnit) -> None:
        conv = unit.dw_conv
        assert conv.bias is not None
        self.depthwise, self.depthwise_bias = single(conv.weight)[:, :, None], single(conv.bias)
        self.snake = FoldedSnake(unit.act)
        gain, loss = self.snake.gain, self.snake.loss
        up, norm = unit.pw_conv1.weight.double(), unit.norm
        self.up = single((up * norm.weight * gain[:, None]).T)
        self.up_bias = single((unit.pw_conv1.bias + up @ norm.bias.double()) * gain)
        gamma, beta = unit.grn.gamma.double(), unit.grn.beta[0].double()
        down = unit.pw_conv2.weight.double()
        self.down = single((down * (1 + gamma) * loss).T)
        self.down_bias = single(unit.pw_conv2.bias + down @ beta)

    def __call__(self, x: Tensor) -> None:
        channels = x.shape[-1]
        h = F.conv2d(
            x.transpose(1, 2).unsqueeze(2), self.depthwise, self.depthwise_bias,
            padding=(0, 3), groups=channels,
        ).squeeze(2).transpose(1, 2).reshape(-1, channels)  # fmt: skip
        self.add(h, x.view(-1, channels))

    def add(self, h: Tensor, rows: Tensor) -> None:
        """Add to ``rows [N, C]`` what the pointwise layers make of the convolution's ``h``."""
        channels = rows.shape[1]

        def pointwise(start: int, stop: int) -> None:
            normed = F.layer_norm(h[start:stop], (channels,), eps=EPS)
            wide = self.snake(torch.addmm(self.up_bias, normed, self.up))
            rows[start:stop].add_(self.down_bias).addmm_(wide, self.down)

        for_blocks(pointwise, len(rows), 4 * channels, rows.device)


def running_sum(x: Tensor, width: int) -> Tensor:
    """Sums of ``width`` neighbours along the last dimension, by doubling: ``width - 1`` fewer."""
    return _running(x, width, torch.add)


def running_max(x: Tensor, width: int) -> Tensor:
    """Maxima of ``width`` neighbours along the last dimension: ``width - 1`` fewer."""
    return _running(x, width, torch.maximum)


def _running(x: Tensor, width: int, combine: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    length = x.shape[-1] - width + 1
    doubled, span, done = x, 1, 0  # `doubled` covers `span` neighbours, `total` covers `done`
    total: Tensor | None = None
    while True:
        if width & span:
            part = doubled[..., done : done + length]
            total = part if total is None else combine(total, part)
            done += span
        if done == width:
            assert total is not None
            return total
        doubled = combine(doubled[..., :-span], doubled[..., span:])
        span *= 2


def envelope(signal: Tensor, kernel: int) -> Tensor:
    """`TPooling` of ``[B, T]``."""
    if kernel == 1:
        return signal
    half = kernel // 2
    # Zeros are as good as minus infinity around a maximum of magnitudes.
    peaks = running_max(F.pad(signal.abs(), (half, half)), kernel)
    return running_sum(F.pad(peaks, (half, half)), kernel) / kernel


EXACT_POSITIONS_FROM = 1 << 23
"""Outputs of an upsampling from which on its positions are computed without rounding."""


def upsampled_positions(index: Tensor, rate: int, *, exact: bool) -> Tensor:
    """Where outputs ``index`` of an upsampling lie among its inputs: rounded as published."""
    if exact:
        return ((index.double() + 0.5) / rate - 0.5).clamp_(min=0)
    # One rounding, like the fused multiply-add of torch's kernels.
    scale = torch.tensor(1 / rate, dtype=torch.float32).double()
    return ((index.float() + 0.5).double() * scale - 0.5).float().clamp_(min=0)


def upsample_part(x: Tensor, first: int, start: int, stop: int, rate: int, total: int) -> Tensor:
    """Steps ``start * rate`` to ``stop * rate`` of `conv.upsample`'s output.

    The published network computes positions in float32, which by the end of a long clip are off
    by a visible fraction of a step. It is part of what its weights give, so up to
    `EXACT_POSITIONS_FROM` outputs (8 minutes at 16 kHz) this has the very same positions; above,
    where they degrade until whole steps are skipped, it has the right ones.

    Args:
        x: a part ``[B, t, C]`` of the input, with two steps of context where there are any.
        first: where in the whole input ``x`` starts.
        start, stop: steps of the whole input.
        rate: outputs per input.
        total: length of the whole input.
    """
    index = torch.arange(start * rate, stop * rate, device=x.device)
    position = upsampled_positions(index, rate, exact=total * rate >= EXACT_POSITIONS_FROM)
    below = position.long().clamp_(max=total - 1)
    weight = (position - below).float()[:, None]
    above = (below + 1).clamp_(max=total - 1)
    low, high = ((i - first).clamp_(0, x.shape[1] - 1) for i in (below, above))
    return x.index_select(1, low).lerp_(x.index_select(1, high), weight)


class FoldedDown:
    """Strided convolution (kernel = stride) and norm."""

    def __init__(self, conv: nn.Conv1d, norm: nn.Module | None) -> None:
        assert conv.bias is not None
        self.rate = conv.stride[0]
        self.weight = single(conv.weight.transpose(1, 2).flatten(1))
        self.bias, self.norm = single(conv.bias), norm

    def __call__(self, x: Tensor) -> Tensor:
        out = F.linear(x.reshape(len(x), -1, self.rate * x.shape[2]), self.weight, self.bias)
        return out if self.norm is None else self.norm(out)


class FoldedConv:
    """A dense convolution with ``same`` padding."""

    def __init__(self, conv: nn.Conv1d) -> None:
        assert conv.bias is not None
        self.weight, self.bias = single(conv.weight)[:, :, None], single(conv.bias)
        self.padding = int(conv.padding[0])

    def __call__(self, x: Tensor, padding: int | None = None) -> Tensor:
        """With ``padding`` zeros at each end, or what keeps the length."""
        view = x.transpose(1, 2).unsqueeze(2)
        wide = self.padding if padding is None else padding
        out = F.conv2d(view, self.weight, self.bias, padding=(0, wide))
        return out.squeeze(2).transpose(1, 2).contiguous()
