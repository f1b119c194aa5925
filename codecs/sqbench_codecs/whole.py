"""A codec's network as one module, for counting."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

if TYPE_CHECKING:
    from sqbench_codecs.base import CodecSpec


class Whole(nn.Module):
    """Audio ``[B, T]`` through encoder, quantizer and decoder of ``network`` to ``[B, T']``.

    ``multiple`` is how the codec pads, and padding is counted.
    """

    def __init__(
        self,
        network: nn.Module,
        spec: CodecSpec,
        encode: Callable[[nn.Module, Tensor, CodecSpec], Tensor],
        decode: Callable[[nn.Module, Tensor, CodecSpec], Tensor],
        multiple: int,
    ) -> None:
        super().__init__()
        self.network = network
        self._spec, self._encode, self._decode = spec, encode, decode
        self._multiple = multiple

    def forward(self, audio: Tensor) -> Tensor:
        audio = nn.functional.pad(audio, (0, -audio.shape[-1] % self._multiple))
        return self._decode(self.network, self._encode(self.network, audio, self._spec), self._spec)


def published_weight_norm(network: nn.Module) -> nn.Module:
    """Weight norm on every convolution, in the form that keeps the layer's class.

    So the published EnCodec and DAC have it: their parameters count a gain a channel, and a counter
    that goes by class sees their layers. Transformers folds it, or has it as a parametrization.
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            if parametrize.is_parametrized(module, "weight"):
                parametrize.remove_parametrizations(module, "weight")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # deprecated, and meant
                nn.utils.weight_norm(module)
    return network


def real_paddings(network: nn.Module) -> nn.Module:
    """Give the convolutions of transformers' SEANet their sizes back, which are buffers there.

    A network on the meta device has none, and could not even work out how much to pad.
    """
    for module in network.modules():
        if {"stride", "kernel_size", "padding_total"} <= module._buffers.keys():
            conv = module.conv
            assert isinstance(conv, nn.Conv1d)
            size = (conv.kernel_size[0] - 1) * conv.dilation[0] + 1
            stride = conv.stride[0]
            right = (size - stride) // 2
            found = {"stride": stride, "kernel_size": size, "padding_total": size - stride}
            if hasattr(module, "padding_right"):  # Mimi's keep these too
                found |= {"padding_right": right, "padding_left": size - stride - right}
            for name, value in found.items():
                setattr(module, name, torch.tensor(value, device="cpu"))
    return network
