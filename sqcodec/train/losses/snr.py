"""Signal-to-noise ratio, watched while training."""

from __future__ import annotations

import torch
from torch import Tensor


def snr_db(estimate: Tensor, reference: Tensor) -> Tensor:
    """Signal-to-noise ratio of each waveform ``[B, T]`` in dB; ``[B]``."""
    noise = (estimate - reference).square().sum(-1)
    return 10.0 * torch.log10(reference.square().sum(-1).clamp_min(1e-9) / noise.clamp_min(1e-9))
