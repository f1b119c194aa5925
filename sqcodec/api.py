"""The codec for users: audio to codes and back, with whichever weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from sqcodec.arrays import audio_tensor, code_tensor
from sqcodec.checkpoint import build_model
from sqcodec.config import SQCodecConfig
from sqcodec.errors import InputError
from sqcodec.inference.engine import Engine
from sqcodec.inference.norms import NormStatistics, known_statistics
from sqcodec.inference.streaming import NORM_SECONDS, CodecStream
from sqcodec.isolation import isolated, thread_defaults
from sqcodec.model import SQCodecModel
from sqcodec.weights import WeightsInfo, load_weights

if TYPE_CHECKING:
    from sqcodec.inference.onnx_export import OnnxFiles


class SQCodec:
    """A loaded codec. `from_pretrained` makes one.

    Calls pad the audio as the published network does, never resample or change the level, and
    work on any length: long clips go in segments, with the result of the whole (see
    `sqcodec.inference.engine`). On a CPU the clips of a batch run one by one, so that a clip's
    codes do not depend on its neighbours to the last bit.

    It gives the same codes and samples whatever modes of torch the caller has set (inference mode,
    autocast, default dtype or device, TF32, number of threads), may be called from several threads
    at once, and can be pickled, copied and saved by `torch.save`. Gradients end here: to train
    through the network, use `model`.

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
        self.device = torch.device(device)
        self.weights = weights
        with isolated(self.device):
            self.model = model.to(device).eval()
            self._engine = Engine(self.model)

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str],
        weights: str | os.PathLike[str] = "auto",
        *,
        device: str | torch.device = "cpu",
        revision: str | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> SQCodec:
        """Load a setting, such as ``6kbps`` (or ``6k``, ``sqcodec-6k``), or a path.

        What is trained with a config of one's own has its config in the file: name its path alone.

        Args:
            name: a setting, or a path as for ``weights``, whose config is then what it says.
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

    def encode(self, audio: Tensor | ArrayLike) -> Tensor:
        """Encode waveforms.

        Args:
            audio: ``[B, T]`` at `sample_rate`, full scale at 1.0; ``[T]`` stands for one. A tensor
                or an array of floating-point numbers of any width, layout and byte order.

        Returns:
            int64 codes ``[B, N]`` (``[N]`` for one), of the audio padded with zeros to whole
            windows: N is ``ceil(T / pad_multiple) * window``. The first of the quantizer's
            dimensions is the least significant digit.

        Raises:
            InputError: another number of dimensions, no floating-point samples, or not finite.
        """
        with isolated(self.device):
            samples = audio_tensor(audio, self.device)
            batch = samples if samples.ndim == 2 else samples[None]
            if not batch.numel():
                tokens = self.config.padded_length(batch.shape[1]) // self.config.hop
                codes = batch.new_zeros(len(batch), tokens, dtype=torch.long)
            else:
                parts = [self._engine.encode(self.model.pad(item)) for item in self._split(batch)]
                codes = torch.cat(parts)
            return codes if samples.ndim == 2 else codes[0]

    def decode(self, codes: Tensor | ArrayLike, length: int | None = None) -> Tensor:
        """Decode codes.

        Args:
            codes: ``[B, N]`` integers, or ``[N]`` for one: a tensor or an array.
            length: samples to return, at most ``N * hop``; ``None`` for all, padding included.

        Returns:
            float32 audio ``[B, length]`` (``[length]`` for one) at `sample_rate`.

        Raises:
            InputError: no integers, codes out of range, or more samples wanted than there are.
        """
        with isolated(self.device):
            checked = code_tensor(codes, self.device, self.codebook_size, self.config.name)
            batch = checked if checked.ndim == 2 else checked[None]
            length = self._length(length, batch.shape[1])
            if not batch.numel():
                audio = batch.new_zeros(len(batch), length, dtype=torch.float32)
            else:
                audio = torch.cat([self._engine.decode(item) for item in self._split(batch)])
            audio = audio[:, :length]
            return audio if checked.ndim == 2 else audio[0]

    def stream(
        self, statistics: NormStatistics | None = None, *, norm_seconds: float = NORM_SECONDS
    ) -> CodecStream:
        """Open a stream for one clip, which is encoded and decoded piece by piece.

        Codes are those of `encode`. Audio is not that of `decode`, whose gates are normalised by
        the whole clip: `sqcodec.inference.norms` has the formula that stands in for it.

        Args:
            statistics: of the gates, known beforehand; ``None`` for those that ship with the
                weights, or none where none do.
            norm_seconds: how many seconds of the clip they are worth; ``math.inf`` keeps them for
                good, 0 goes by what was heard alone.

        Raises:
            InputError: a negative number of seconds, or statistics of another network.

        Example:
            >>> stream = codec.stream()                                 # doctest: +SKIP
            >>> for samples in microphone:                              # doctest: +SKIP
            ...     loudspeaker.play(stream.decoder.push(stream.encoder.push(samples)))
            >>> loudspeaker.play(stream.decoder.push(stream.encoder.flush()))  # doctest: +SKIP
            >>> loudspeaker.play(stream.decoder.flush())                # doctest: +SKIP
        """
        if not norm_seconds >= 0:
            raise InputError(f"norm_seconds {norm_seconds}", expected="0 or more")
        found = known_statistics(self.weights.sha256) if statistics is None else statistics
        if found is not None and not found.fit(self.model):
            raise InputError(
                "statistics of norms",
                expected=f"those of {self.config.name}",
                found=f"{len(found.means)} stages of {sorted({len(m) for m in found.means})}",
                remedy="Take them by SQCodec.norm_statistics.",
            )
        return CodecStream(self._engine, self.device, found, norm_seconds)

    def norm_statistics(self, codes: Tensor | ArrayLike) -> NormStatistics:
        """What the norms of the decoder's gates take of codes ``[B, N]`` or ``[N]``, the mean of
        the clips: for `stream`.

        Raises:
            InputError: no integers, codes out of range, or none.
        """
        with isolated(self.device):
            checked = code_tensor(codes, self.device, self.codebook_size, self.config.name)
            if not checked.numel():
                raise InputError("codes", expected="some", found="none")
            batch = checked if checked.ndim == 2 else checked[None]
            clips = [NormStatistics.of(self._engine.statistics(row[None])) for row in batch]
            return NormStatistics.mean(clips)

    def export_onnx(self, folder: str | os.PathLike[str], *, int8: bool = False) -> OnnxFiles:
        """Write ``encoder.onnx`` and ``decoder.onnx``; `sqcodec.inference.onnx_export` has how to
        use them. Needs the extra ``onnx``.

        Args:
            folder: where to.
            int8: store the weights as 8-bit integers: a quarter of the size, other values.

        Raises:
            InputError: a package is missing, the codec is not on a CPU, or the folder cannot be
                written to.
        """
        from sqcodec.inference.onnx_export import export

        if self.device.type != "cpu":
            raise InputError("export to ONNX", expected="a codec on a CPU", found=str(self.device))
        # Without the process's settings of `isolated`, which the exporter cannot have half set.
        with thread_defaults(self.device):
            return export(self._engine, Path(folder), int8=int8, weights=self.weights.sha256)

    def _length(self, length: Any, tokens: int) -> int:
        available = tokens * self.config.hop
        if length is None:
            return available
        try:
            wanted = index(length)
        except TypeError:
            wanted = -1
        if not 0 <= wanted <= available:
            raise InputError(
                f"length {length}", expected=f"0 to {available} samples from {tokens} codes"
            )
        return wanted

    def _split(self, batch: Tensor) -> list[Tensor]:
        if self.device.type != "cpu" or not len(batch):
            return [batch]
        return [item[None] for item in batch]

    def __reduce__(self) -> tuple[Any, ...]:
        # The network itself has no pickled form: its weight norm is a class made at run time.
        state = dict(self.model.state_dict())
        return _rebuild, (self.config.to_dict(), state, asdict(self.weights))

    def __repr__(self) -> str:
        return f"SQCodec({self.config.name!r}, weights={self.weights.source!r})"


def _rebuild(config: dict[str, Any], state: dict[str, Tensor], weights: dict[str, str]) -> SQCodec:
    """What `SQCodec.__reduce__` made, on the device that its tensors are on now."""
    device = next(iter(state.values())).device
    model = build_model(SQCodecConfig.from_dict(config), state, {"": "pickled codec"})
    return SQCodec(model, WeightsInfo(**weights), device=device)


# It makes a codec of numbers and runs nothing else, so that torch.load may call it by default.
torch.serialization.add_safe_globals([_rebuild])
