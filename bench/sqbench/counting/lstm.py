"""LSTMs on the meta device, a whole sequence at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


@contextmanager
def unrolled(network: nn.Module) -> Iterator[None]:
    """Let LSTMs of ``network`` do the products of all time steps in one call each.

    On the meta device there are no values, so that a step need not wait for the one before; the
    counts are the same, and ten seconds of EnCodec take a moment instead of a quarter of a minute.
    """
    from torch import nn

    changed = [
        module
        for module in network.modules()
        if isinstance(module, nn.LSTM) and not module.bidirectional and not module.proj_size
    ]
    for module in changed:
        vars(module)["forward"] = _forward(module)
    try:
        yield
    finally:
        for module in changed:
            del vars(module)["forward"]


def _forward(layer: nn.LSTM) -> Any:
    import torch
    from torch.nn import functional as F

    def forward(x: Tensor, state: Any = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        for weights in layer.all_weights:
            w_input, w_hidden, *biases = weights
            b_input, b_hidden = biases or (None, None)
            hidden = x.new_empty(*x.shape[:-1], layer.hidden_size)
            gates = F.linear(x, w_input, b_input) + F.linear(hidden, w_hidden, b_hidden)
            i, f, g, o = gates.chunk(4, dim=-1)
            cell = torch.sigmoid(f) * hidden + torch.sigmoid(i) * torch.tanh(g)
            x = torch.sigmoid(o) * torch.tanh(cell)
        last = x.new_empty(layer.num_layers, x.shape[1], layer.hidden_size)
        return x, (last, last)

    return forward
