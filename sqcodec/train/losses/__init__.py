"""The terms of the training loss, one module each; how they are weighted is the recipe's."""

from __future__ import annotations

from sqcodec.train.losses.adversarial import (
    FEATURE_WEIGHT,
    Outputs,
    discriminator_loss,
    generator_loss,
)
from sqcodec.train.losses.clamp import clamp_term
from sqcodec.train.losses.snr import snr_db
from sqcodec.train.losses.stft import MultiScaleSTFT

__all__ = [
    "FEATURE_WEIGHT",
    "MultiScaleSTFT",
    "Outputs",
    "clamp_term",
    "discriminator_loss",
    "generator_loss",
    "snr_db",
]
