"""The network through torch.compile, for whole clips."""

from __future__ import annotations

import torch
from torch import Tensor

from sqcodec.model.codec import SQCodecModel


class CompiledEngine:
    """Encoding and decoding of whole clips by compiled code, as `engine.Engine` does in segments.

    A new length may compile again, which takes minutes. On a CPU this needs a C++ compiler, and
    is no faster than the engine: it is for other devices.
    """

    def __init__(self, model: SQCodecModel) -> None:
        self._encode = torch.compile(model.encode)
        self._decode = torch.compile(model.decode)

    def encode(self, audio: Tensor) -> Tensor:
        """Padded audio ``[B, T]``, T in whole windows, to codes ``[B, N]``."""
        codes: Tensor = self._encode(audio)
        return codes

    def decode(self, codes: Tensor) -> Tensor:
        """Codes ``[B, N]``, N in whole windows, to audio ``[B, N * hop]``."""
        audio: Tensor = self._decode(codes)
        return audio
