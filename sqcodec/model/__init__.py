"""The SQCodec network: trainable modules with the published names of parameters."""

from __future__ import annotations

from sqcodec.model.codec import SQCodecModel, Stages

__all__ = ["SQCodecModel", "Stages"]
