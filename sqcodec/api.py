"""The public codec: audio to codes and back."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sqcodec.config import SQCodecConfig
from sqcodec.errors import InputError
from sqcodec.model.engine import Engine
from sqcodec.weights import WeightsInfo, load_weights

if TYPE_CHECKING:
    from sqcodec.model import SQCodecModel


class SQCodec:
    """A loaded SQCodec, ready to encode and decode.

    Example:
        >>> codec = SQCodec.from_pretrained("6kbps")                  # doctest: +SKIP
        >>> codes = codec.encode(audio)                               # doctest: +SKIP
        >>> audio = codec.decode(codes, length=audio.shape[-1])       # doctest: +SKIP

    Attributes:
        config: the setting.
        weights: which weights these are: source, hash, where from.
    """

    def __init__(
        self, model: SQCodecModel, weights: WeightsInfo, *, device: str | torch.device = "cpu"
    ) -> None:
        self.config: SQCodecConfig = model.config
        self.weights = weights
        self.device = torch.device(device)
        self._engine = Engine(model.float().eval().to(self.device))

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str] = "6kbps",
        *,
        weights: str | os.PathLike[str] = "auto",
        revision: str | None = None,
        device: str | torch.device = "cpu",
        notify: Callable[[str], None] | None = None,
    ) -> SQCodec:
        """Load a setting by name, or weights from a file or folder; see `load_weights`.

        Raises:
            InputError: nothing found, or what was found cannot be used.
        """
        model, info = load_weights(os.fspath(name), weights, revision=revision, notify=notify)
        return cls(model, info, device=device)

    @property
    def sample_rate(self) -> int:
        """In Hz, of what goes in and comes out."""
        return self.config.sample_rate

    @property
    def frame_rate(self) -> float:
        """Codes a second."""
        return self.config.frame_rate

    @property
    def codebook_size(self) -> int:
        return self.config.codebook_size

    @torch.no_grad()
    def encode(self, audio: Tensor) -> Tensor:
        """Encode audio of any length.

        Args:
            audio: floating point ``[B, T]`` or ``[T]`` at ``sample_rate``, full scale at 1.0.

        Returns:
            Codes ``[B, N]``, int64. The audio is padded with zeros to whole attention windows
            first, so N is a multiple of ``config.window``.

        Raises:
            InputError: another shape or type, no samples, or samples that are not finite.
        """
        if audio.ndim == 1:
            audio = audio[None]
        if audio.ndim != 2 or not audio.is_floating_point() or audio.numel() == 0:
            raise InputError(
                "audio to encode",
                expected="floating point of shape [B, T] or [T] with at least one sample",
                found=f"{audio.dtype} of shape {list(audio.shape)}",
            )
        audio = audio.to(self.device, torch.float32)
        if not torch.isfinite(audio).all():
            raise InputError("audio to encode", expected="finite samples", found="NaN or infinite")
        padding = self.config.padded_length(audio.shape[-1]) - audio.shape[-1]
        return self._engine.encode(torch.nn.functional.pad(audio, (0, padding)))

    @torch.no_grad()
    def decode(self, codes: Tensor, length: int | None = None) -> Tensor:
        """Decode codes.

        Args:
            codes: integers ``[B, N]``, N a multiple of ``config.window``.
            length: samples to keep; all if not given (padding included).

        Returns:
            Audio ``[B, length]``, float32.

        Raises:
            InputError: another shape or type, codes out of range, or too few for ``length``.
        """
        whole = self.config.window
        if codes.ndim != 2 or codes.is_floating_point() or not codes.numel():
            raise InputError(
                "codes to decode",
                expected="integers of shape [B, N]",
                found=f"{codes.dtype} of shape {list(codes.shape)}",
            )
        if codes.shape[1] % whole:
            raise InputError(
                "codes to decode",
                expected=f"a multiple of {whole} a clip",
                found=str(codes.shape[1]),
                remedy="Decode what encode gave, whole.",
            )
        low, high = int(codes.min()), int(codes.max())
        if low < 0 or high >= self.codebook_size:
            raise InputError(
                "codes to decode",
                expected=f"0 to {self.codebook_size - 1}",
                found=f"{low} to {high}",
            )
        available = codes.shape[1] * self.config.hop
        if length is None:
            length = available
        if not 0 < length <= available:
            raise InputError(
                "length to decode", expected=f"1 to {available} samples", found=str(length)
            )
        return self._engine.decode(codes.to(self.device, torch.long))[:, :length].contiguous()
