"""The encoder and decoder: three frame-wise layers, one skip, several seeds stacked.

``h1 = PReLU(W1 x)``, ``h2 = h1 + PReLU(W2 h1)``, ``out = W3 h2``, each with its bias. The shape is
what secondary sources say of arXiv 2502.04770; the sizes are ours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sqbench.quantization.draws import Draws


class Frames(nn.Module):
    """``[S, N, inputs]`` to ``[S, N, outputs]``, with weights of its own for each of S seeds.

    Weights start normal with variance 1 over their fan-in, so outputs start at about unit power.
    """

    def __init__(self, draws: Draws, inputs: int, outputs: int, hidden: int) -> None:
        super().__init__()
        shapes = ((inputs, hidden), (hidden, hidden), (hidden, outputs))
        self.weights = nn.ParameterList(
            [nn.Parameter(draws.normal(i, o) / i**0.5) for i, o in shapes]
        )
        seeds = len(draws.generators)
        self.biases = nn.ParameterList([nn.Parameter(torch.zeros(seeds, 1, o)) for _, o in shapes])
        self.slopes = nn.ParameterList(
            [nn.Parameter(torch.full((seeds, 1, hidden), 0.25)) for _ in range(2)]
        )

    def forward(self, x: Tensor) -> Tensor:
        h = self._unit(x, 0)
        h = h + self._unit(h, 1)
        return torch.baddbmm(self.biases[2], h, self.weights[2])

    def _unit(self, x: Tensor, layer: int) -> Tensor:
        h = torch.baddbmm(self.biases[layer], x, self.weights[layer])
        # PReLU, slope * h below zero: a third of the time of `where`, whose CPU kernel is slow.
        out: Tensor = h + (1 - self.slopes[layer]) * torch.relu(-h)
        return out
