"""The codec for users: audio to codes and back, with whichever weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sqcodec.config import SQCodecConfig
from sqcodec.errors import InputError
from sqcodec.inference.engine import Engine
from sqcodec.model import SQCodecModel
from sqcodec.weights import WeightsInfo, load_weights

if TYPE_CHECKING:
    from collections.abc import Iterator


class SQCodec:
    """A loaded codec. `from_pretrained` makes one.

    Calls pad the audio as the published network does, never resample or change the level, and
    work on any length: long clips go in segments, with the result of the whole (see
    `sqcodec.inference.engine`). On a CPU the clips of a batch run one by one, so that a clip's
    codes do not depend on its neighbours to the last bit.

    Attributes:
        model: the network behind it. To change its parameters, make a new `SQCodec` from it.
        weights: where the weights are from, and their hash.
    """

    def __init__(
        self,
        model: SQCodecModel,
        weights: WeightsInfo,
        *,
        device: str | torch.device = "cpu",
    ) -> None:
        self.model = model.to(device).eval()
        self.weights = weights
        self.device = torch.device(device)
        with torch.no_grad():
            self._engine = Engine(self.model)

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        weights: str | os.PathLike[str] = "auto",
        *,
        device: str | torch.device = "cpu",
        revision: str | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> SQCodec:
        """Load a setting, such as ``6kbps`` (or ``6k``, ``sqcodec-6k``), or a path.

        Args:
            name: a setting, or a path as for ``weights``, whose setting is then detected.
            weights: ``auto`` (official if cached or if the hub answers, else bundled),
                ``official``, ``bundled``, or the path of a safetensors file, of a run directory,
                or of a folder with the five published files.
            device: torch device.
            revision: branch, tag or commit of the official repository.
            notify: gets one line that says which weights were taken; by default it is logged.

        Raises:
            InputError: unknown setting, or weights that are missing, damaged or of another one.
        """
        model, info = load_weights(name, weights, revision=revision, notify=notify)
        return cls(model, info, device=device)

    @property
    def config(self) -> SQCodecConfig:
        return self.model.config

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return self.config.sample_rate

    @property
    def frame_rate(self) -> float:
        """Codes a second."""
        return self.config.frame_rate

    @property
    def codebook_size(self) -> int:
        return self.config.codebook_size

    @property
    def bitrate_bps(self) -> float:
        """Nominal bits a second."""
        return self.config.bitrate_bps

    def encode(self, audio: Tensor) -> Tensor:
        """Encode waveforms.

        Args:
            audio: ``[B, T]`` at `sample_rate`, full scale at 1.0; ``[T]`` stands for one.

        Returns:
            int64 codes ``[B, N]`` (``[N]`` for one), of the audio padded with zeros to whole
            windows: N is ``ceil(T / pad_multiple) * window``. The first of the quantizer's
            dimensions is the least significant digit.

        Raises:
            InputError: another number of dimensions, or samples that are not finite.
        """
        audio = torch.as_tensor(audio)
        if audio.ndim not in (1, 2) or not audio.is_floating_point():
            raise InputError(
                "audio to encode",
                expected="floating-point samples [B, T] or [T]",
                found=f"{audio.dtype} of shape {tuple(audio.shape)}",
            )
        batch = audio.to(self.device, torch.float32).reshape(-1, audio.shape[-1])
        if not bool(batch.isfinite().all()):
            raise InputError("audio to encode", expected="finite samples", found="NaN or infinity")
        with _inference(self.device):
            parts = [self._engine.encode(self.model.pad(item)) for item in self._split(batch)]
            codes = torch.cat(parts)
        return codes if audio.ndim == 2 else codes[0]

    def decode(self, codes: Tensor, length: int | None = None) -> Tensor:
        """Decode codes.

        Args:
            codes: ``[B, N]`` integers, or ``[N]`` for one.
            length: samples to return, at most ``N * hop``; ``None`` for all, padding included.

        Returns:
            float32 audio ``[B, length]`` (``[length]`` for one) at `sample_rate`.

        Raises:
            InputError: no integers, codes out of range, or more samples wanted than there are.
        """
        codes = torch.as_tensor(codes)
        if codes.ndim not in (1, 2) or codes.is_floating_point() or codes.dtype == torch.bool:
            raise InputError(
                "codes to decode",
                expected="integers [B, N] or [N]",
                found=f"{codes.dtype} of shape {tuple(codes.shape)}",
            )
        batch = codes.to(self.device, torch.long).reshape(-1, codes.shape[-1])
        if batch.numel() and not 0 <= int(batch.min()) <= int(batch.max()) < self.codebook_size:
            raise InputError(
                "codes to decode",
                expected=f"0 to {self.codebook_size - 1}",
                found=f"{int(batch.min())} to {int(batch.max())}",
                remedy=f"Are they codes of {self.config.name}?",
            )
        available = batch.shape[1] * self.config.hop
        if length is not None and not 0 <= length <= available:
            raise InputError(
                f"length {length}", expected=f"0 to {available} samples from {batch.shape[1]} codes"
            )
        with _inference(self.device):
            audio = torch.cat([self._engine.decode(item) for item in self._split(batch)])
        audio = audio[:, :length]
        return audio if codes.ndim == 2 else audio[0]

    def _split(self, batch: Tensor) -> list[Tensor]:
        if self.device.type != "cpu" or not len(batch):
            return [batch]
        return [item[None] for item in batch]

    def __repr__(self) -> str:
        return f"SQCodec({self.config.name!r}, weights={self.weights.source!r})"


@contextmanager
def _inference(device: torch.device) -> Iterator[Any]:
    """No gradients, and no TF32, whose rounding would change codes."""
    if device.type != "cuda":
        with torch.no_grad():
            yield
        return
    cudnn: Any = torch.backends.cudnn
    backends: tuple[Any, ...] = (torch.backends.cuda.matmul, cudnn.conv)
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        with torch.no_grad():
            yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision
