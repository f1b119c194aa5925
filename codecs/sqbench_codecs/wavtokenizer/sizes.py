"""Sizes of WavTokenizer's two published networks. Importable without torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Widths and strides.

    Attributes:
        strides: of the encoder, in the order in which the decoder of EnCodec would have them.
        features: channels of encoder output and codes.
        filters: channels of the encoder's first layer.
        width, hidden, layers: channels of the backbone, within its blocks, and their number.
        codebook: number of codes.
    """

    strides: tuple[int, ...]
    features: int = 512
    filters: int = 32
    width: int = 768
    hidden: int = 2304
    layers: int = 12
    codebook: int = 4096


SIZES = {600: Sizes(strides=(6, 5, 5, 4)), 320: Sizes(strides=(8, 5, 4, 2))}
"""By samples a token."""
