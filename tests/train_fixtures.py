"""A network small enough to train in a test."""

from __future__ import annotations

from sqcodec.config import SQCodecConfig

TINY = SQCodecConfig(
    name="tiny",
    sample_rate=16000,
    feature_dim=256,
    encoder_rates=(8, 5),
    encoder_dims=(8, 16, 24),
    encoder_depths=(1, 1, 1),
    decoder_rates=(8, 5),
    decoder_dims=(24, 16, 8),
    decoder_depths=(1, 1),
    transformer_depth=1,
    compress_depth=0,
    window=40,
    compress_rate=1,
    levels=(7, 7, 7, 7, 7, 7),
)
