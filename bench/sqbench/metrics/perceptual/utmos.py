"""UTMOS: an opinion of speech that needs no reference, by a network on wav2vec 2.0.

Saeki et al., "UTMOS: UTokyo-SaruLab System for VoiceMOS Challenge 2022", 2022: its strong learner,
by the package `utmos-pytorch`, whose weights come from the hub. They need torch: this metric's
workers import it, on one thread, one clip at a time, as padding moves the score.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from sqbench.metrics.base import Metric, Pair
from sqbench.metrics.perceptual.guards import require_length, require_scale, require_sound
from sqbench.metrics.perceptual.per_pair import at_rate
from sqbench.metrics.perceptual.weights import HubFiles, identity_of

RATE = 16_000
SHORTEST_S = 1.0


class UTMOS(Metric):
    """About 1 to 5; of the estimate alone, at 16 kHz."""

    name = "utmos"
    version = 1
    direction = "higher"
    bounds = (None, None)
    categories = ("speech",)
    weights: ClassVar[HubFiles] = HubFiles("Blinorot/UTMOS-PyTorch", ("utmos_state_dict.pt",))

    @property
    def identity(self) -> str:
        return identity_of(self, self.weights)

    def measure(self, pair: Pair) -> float:
        """See `Metric.measure`."""
        require_sound(pair.estimate, "estimate")
        require_length(pair.estimate, pair.sample_rate, SHORTEST_S, "as in its training")
        require_scale(pair.estimate, "estimate")
        import torch

        samples = at_rate(pair, "estimate", RATE).astype(np.float32)
        network = _network(self.weights.locate()[0])
        with torch.inference_mode():
            return float(network.score(torch.from_numpy(samples)[None])[0])


@lru_cache(maxsize=1)
def _network(weights: Path) -> Any:
    from utmos_pytorch import UTMOSScoreTorch

    return UTMOSScoreTorch(ckpt_path=str(weights), device="cpu")
