"""DistillMOS: an opinion of speech that needs no reference, by a network distilled from XLS-R.

Stahl and Gamper, "Distillation and Pruning for Scalable Self-Supervised Representation-Based
Speech Quality Assessment", 2025. Network and weights are the package's (`distillmos`), and need
torch: this metric's workers import it, on one thread.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from sqbench.metrics.base import Metric, Pair
from sqbench.metrics.perceptual.guards import require_length, require_scale, require_sound
from sqbench.metrics.perceptual.per_pair import at_rate
from sqbench.metrics.perceptual.weights import PackageFile, identity_of

RATE = 16_000
SHORTEST_S = 1.0
WEIGHTS = PackageFile("distillmos", "distillmos", "weights/distill_mos_v7.pt")


class DistillMOS(Metric):
    """1 to 5; of the estimate alone, at 16 kHz, in windows of 7.68 s at its own peak level."""

    name = "distillmos"
    version = 1
    direction = "higher"
    bounds = (1.0, 5.0)
    categories = ("speech",)

    @property
    def identity(self) -> str:
        return identity_of(self, WEIGHTS)

    def measure(self, pair: Pair) -> float:
        """See `Metric.measure`."""
        require_sound(pair.estimate, "estimate")
        require_length(pair.estimate, pair.sample_rate, SHORTEST_S, "as the rest would be zeros")
        require_scale(pair.estimate, "estimate")
        import torch

        samples = at_rate(pair, "estimate", RATE).astype(np.float32)
        with torch.inference_mode():
            return float(_network()(torch.from_numpy(samples)[None])[0, 0])


@lru_cache(maxsize=1)
def _network() -> Any:
    import torch
    from distillmos import ConvTransformerSQAModel

    # Its own loading prints to standard output.
    network = ConvTransformerSQAModel(load_weights=False)
    saved = torch.load(WEIGHTS.locate(), map_location="cpu", weights_only=True)
    network.load_state_dict(saved["model"])
    return network.eval()
