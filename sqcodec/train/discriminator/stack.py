"""The layers that all sub-discriminators are stacks of."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from sqcodec.errors import InputError

_SLOPE = 0.1


def conv2d(
    in_channels: int, out_channels: int, kernel: tuple[int, int], stride: tuple[int, int] = (1, 1)
) -> nn.Conv2d:
    """A weight-normalised convolution, padded to keep the size at stride 1; odd kernels."""
    padding = (kernel[0] // 2, kernel[1] // 2)
    layer: nn.Conv2d = weight_norm(
        nn.Conv2d(in_channels, out_channels, kernel, stride=stride, padding=padding)
    )
    return layer


def run(layers: Iterable[nn.Module], x: Tensor) -> list[Tensor]:
    """The feature ``[B, C, H, W]`` behind the activation of each layer, first to last."""
    features = []
    for layer in layers:
        # In place: what is before the activation is needed by nobody, the backward pass included.
        x = F.leaky_relu(layer(x), _SLOPE, inplace=True)
        features.append(x)
    return features


def scaled(channels: int, width: float) -> int:
    """A published number of channels times ``width``, 1 at least.

    Raises:
        InputError: a width of 0 or less.
    """
    if not width > 0:
        raise InputError("discriminator, width", expected="a number above 0", found=str(width))
    return max(1, round(channels * width))
