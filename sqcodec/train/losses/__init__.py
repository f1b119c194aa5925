"""The terms of the training loss, one module each; how they are weighted is the recipe's."""

from __future__ import annotations

from sqcodec.train.losses.adversarial import (
    Outputs,
    discriminator_loss,
    generator_loss,
)
from sqcodec.train.losses.clamp import clamp_term
from sqcodec.train.losses.mel import MultiScaleMel
from sqcodec.train.losses.snr import snr_db
from sqcodec.train.losses.stft import MultiScaleSTFT

__all__ = [
    "MultiScaleMel",
    "MultiScaleSTFT",
    "Outputs",
    "clamp_term",
    "discriminator_loss",
    "generator_loss",
    "snr_db",
]
