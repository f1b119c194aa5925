"""The discriminator: DAC's multi-period and multi-resolution ensemble."""

from __future__ import annotations

from sqcodec.train.discriminator.ensemble import PERIODS, WINDOWS, Discriminator

__all__ = ["PERIODS", "WINDOWS", "Discriminator"]
