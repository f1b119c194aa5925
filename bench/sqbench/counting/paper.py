"""Multiply-adds and parameters as the paper counted them, with that counter's blind spots.

The counter is ptflops 0.7.4, backend ``pytorch``, on one forward of 10 s of audio; its rules are
written out here, as far as the paper's networks meet them. It hooks modules by their exact class,
and replaces some functions of torch by ones that count. Hence:

- a layer under ``parametrizations.weight_norm`` has another class and counts nothing, under the
  older ``nn.utils.weight_norm`` it keeps its class and counts: none of SQCodec's weight-normed
  layers is seen, all of EnCodec's, DAC's and WavTokenizer's are;
- attention by ``einsum``, ``@`` or one fused call counts nothing, by ``torch.bmm`` it counts;
- a transposed convolution counts a full kernel at each *output* position, as many times too much
  as its stride;
- an activation that is a module and calls a function counts twice;
- parameters are those that require a gradient, used or not.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqbench.counting.lstm import unrolled

if TYPE_CHECKING:
    from torch import Tensor, nn

    Rule = Callable[[Any, Tensor, Tensor], int]
    """From a module, its input and its output to the operations that it counts as."""

COUNTER = "ptflops 0.7.4"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the paper's counter sees of a network.

    Attributes:
        macs: for 10 s of audio.
        params: parameters that require a gradient.
        by_kind: ``macs`` by module class (``Conv1d``) or function (``bmm``).
    """

    macs: int
    params: int
    by_kind: Mapping[str, int]


def see(network: nn.Module, audio: Tensor) -> Seen:
    """Count as the paper did.

    Args:
        network: on the meta device; its forward is run once on ``audio``.
        audio: ``[1, T]``.
    """
    import torch

    counts: Counter[str] = Counter()
    rules = {**_module_rules(), **_sqcodec_rules()}
    handles = [
        module.register_forward_hook(_hook(rules[type(module)], counts))
        for module in network.modules()
        if type(module) in rules
    ]
    try:
        with torch.no_grad(), unrolled(network), _counting_functions(counts):
            network(audio)
    finally:
        for handle in handles:
            handle.remove()
    params = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return Seen(macs=counts.total(), params=params, by_kind=dict(counts))


def _hook(rule: Rule, counts: Counter[str]) -> Callable[[Any, Any, Any], None]:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
        counts[type(module).__name__] += rule(module, inputs[0], output)

    return hook


def _module_rules() -> dict[type[nn.Module], Rule]:
    from torch import nn

    return {
        nn.Conv1d: _convolution,
        nn.ConvTranspose1d: _convolution,
        nn.Linear: _linear,
        nn.LSTM: _lstm,
        nn.ELU: _per_output,
        nn.GELU: _per_output,
        nn.Upsample: _per_output,
        nn.GroupNorm: _norm,
        nn.InstanceNorm1d: _norm,
        nn.LayerNorm: _norm,
    }


def _sqcodec_rules() -> dict[type[nn.Module], Rule]:
    """Modules of the published SQCodec whose work ours does inside another's forward.

    The GELU of TConv, the merging convolution of TEConv, and the upsampling.
    """
    from sqcodec.model.decoder import _Upsample
    from sqcodec.model.tconv import TConv, TEConv
    from sqcodec.model.transformer import _UpTransformer

    def hidden(layer: Any, x: Tensor, y: Tensor) -> int:
        return x.numel() * int(layer.conv_1.out_channels)

    def merge(layer: Any, x: Tensor, y: Tensor) -> int:
        return y.numel() * int(layer.merge_layer[1].in_channels + 1)

    return {TConv: hidden, TEConv: merge, _Upsample: _per_output, _UpTransformer: _per_output}


def _convolution(layer: Any, x: Tensor, y: Tensor) -> int:
    per_output = layer.in_channels // layer.groups * layer.kernel_size[0]
    return y.numel() * int(per_output + (layer.bias is not None))


def _linear(layer: Any, x: Tensor, y: Tensor) -> int:
    return y.numel() * int(layer.in_features + (layer.bias is not None))


def _lstm(layer: Any, x: Tensor, y: Any) -> int:
    # Products and biases, one addition for each gate, and six operations for cell and output.
    steps, hidden = x.shape[0] * x.shape[1], layer.hidden_size
    weights = sum(parameter.numel() for parameter in layer.parameters())
    return steps * int(weights + layer.num_layers * 10 * hidden)


def _per_output(layer: Any, x: Tensor, y: Tensor) -> int:
    return y.numel()


def _norm(layer: Any, x: Tensor, y: Tensor) -> int:
    # LayerNorm's flag has another name, so that its scale and shift are missed.
    return x.numel() * (2 if getattr(layer, "affine", False) else 1)


def _per_input(x: Tensor, *args: Any, **options: Any) -> int:
    return x.numel()


def _product(a: Tensor, b: Tensor, *args: Any, **options: Any) -> int:
    return a.numel() * b.shape[-1]


def _interpolation(
    x: Tensor, size: Any = None, scale_factor: Any = None, *args: Any, **options: Any
) -> int:
    scales = scale_factor if isinstance(scale_factor, tuple) else (scale_factor,) * (x.dim() - 2)
    return x.numel() * math.prod(int(scale) for scale in scales)


@contextmanager
def _counting_functions(counts: Counter[str]) -> Iterator[None]:
    """Functions of torch that count while this lasts, where they are called by these names."""
    import torch
    from torch.nn import functional

    rules: dict[Any, dict[str, Callable[..., int]]] = {
        functional: {
            **dict.fromkeys(
                ("elu", "gelu", "silu", "softmax", "avg_pool1d", "max_pool1d"), _per_input
            ),
            "interpolate": _interpolation,
        },
        # And matmul and mm, which the networks never call by name, but torch does on their behalf
        # on the meta device.
        torch: {"bmm": _product},
    }
    originals = [
        (owner, name, getattr(owner, name), rule)
        for owner, named in rules.items()
        for name, rule in named.items()
    ]
    for owner, name, original, rule in originals:
        setattr(owner, name, _counting(name, original, rule, counts))
    try:
        yield
    finally:
        for owner, name, original, _ in originals:
            setattr(owner, name, original)


def _counting(
    name: str, original: Callable[..., Any], rule: Callable[..., int], counts: Counter[str]
) -> Callable[..., Any]:
    def counting(*args: Any, **options: Any) -> Any:
        counts[name] += rule(*args, **options)
        return original(*args, **options)

    return counting
