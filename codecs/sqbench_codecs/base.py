"""The codec contract. Importable without torch.

A codec turns waveforms into integer codes and back. Everything that the harness reports about
bits follows from the codes themselves: ``bits = frames * log2(codebook size)``, summed over
codebooks (see `num_bits`), so a codec never states its own measured bitrate.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sqcodec.errors import InputError

if TYPE_CHECKING:
    from torch import nn

Waveform = NDArray[np.float32]
"""Mono samples ``[T]``, full scale at 1.0, at the codec's sample rate."""

Codes = NDArray[np.int64]
"""Integer codes ``[num_codebooks, frames]``."""


@dataclass(frozen=True, kw_only=True)
class CodecSpec:
    """What can be said of an operating point without loading it.

    Attributes:
        name: the registry name, such as ``sqcodec-6k``.
        sample_rate: in Hz; ``None`` for a codec that runs at whatever rate the audio has.
        frame_rate: frames a second, each of ``num_codebooks`` codes; ``None`` as above.
        codebook_sizes: one size per codebook.
        bitrate_bps: nominal bits a second; ``None`` where it depends on the audio's rate.
        output_sample_rate: of decoded audio, where that is not ``sample_rate``.
    """

    name: str
    sample_rate: int | None
    frame_rate: float | None
    codebook_sizes: tuple[int, ...]
    bitrate_bps: float | None
    output_sample_rate: int | None = None

    @property
    def num_codebooks(self) -> int:
        return len(self.codebook_sizes)

    @property
    def decoded_rate(self) -> int | None:
        """In Hz, of decoded audio; ``None`` as for ``sample_rate``."""
        return self.output_sample_rate or self.sample_rate

    def decoded_length(self, length: int) -> int:
        """Samples that audio of ``length`` samples has when it is decoded.

        Example:
            >>> CodecSpec(name="up", sample_rate=16000, frame_rate=50.0, codebook_sizes=(2,),
            ...           bitrate_bps=50.0, output_sample_rate=24000).decoded_length(3)
            5
        """
        if self.output_sample_rate is None or self.sample_rate is None:
            return length
        return -(-length * self.output_sample_rate // self.sample_rate)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Which weights a loaded codec holds.

    Attributes:
        source: ``official``, ``bundled``, a path, or ``none`` for a codec that has no weights.
        sha256: hash over the tensors (or the file) that were really loaded; ``None`` for ``none``.
        detail: where they came from: repository and commit, or file.
    """

    source: str
    sha256: str | None = None
    detail: str = ""

    @property
    def label(self) -> str:
        """``bundled 1a2b3c4d``: short enough for a table."""
        return self.source if self.sha256 is None else f"{self.source} {self.sha256[:8]}"


NO_WEIGHTS = Weights(source="none")


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """A codec's network without its weights, for counting.

    Attributes:
        build: makes the whole network on the meta device, in evaluation mode. Its forward takes
            audio ``[1, T]`` at the codec's sample rate and runs all that encoding and decoding run,
            at this operating point.
        parts: names of submodules (prefixes of parameter names) by part: ``encoder``,
            ``quantizer``, ``decoder``, and ``unused`` for what inference never runs.
    """

    build: Callable[[], nn.Module]
    parts: Mapping[str, tuple[str, ...]]


class EncoderStream(Protocol):
    def push(self, samples: Waveform) -> Codes:
        """The next samples ``[T]`` to codes ``[num_codebooks, n]``, n may be 0."""
        ...

    def flush(self) -> Codes:
        """The codes that remain when the clip has ended."""
        ...


class DecoderStream(Protocol):
    def push(self, codes: Codes) -> Waveform:
        """The next codes ``[num_codebooks, n]`` to samples ``[T]``, T may be 0."""
        ...

    def flush(self) -> Waveform:
        """The samples that remain when the clip has ended."""
        ...


class Stream(Protocol):
    """One clip through a codec, piece by piece.

    Attributes:
        latency_s: how far the last sample heard may be ahead of the last one given back, seconds.
        settings: all that changes the output.
    """

    latency_s: float
    settings: Mapping[str, Any]

    @property
    def encoder(self) -> EncoderStream: ...
    @property
    def decoder(self) -> DecoderStream: ...


class Codec(ABC):
    """One operating point of a codec, loaded and ready.

    Subclasses set ``spec`` (on the class, or by passing it up) and implement `encode` and
    `decode`. ``lists`` go in and out because lengths differ; whoever can batch without changing a
    value does so inside. Results must not depend on what else is in the list.
    """

    spec: CodecSpec
    weights: Weights = NO_WEIGHTS
    origin: Mapping[str, str] = {}
    """Which file or distribution a third-party codec came from; set by the registry."""

    def __init__(
        self, spec: CodecSpec | None = None, *, weights: str = "auto", device: str = "cpu"
    ) -> None:
        if spec is not None:
            self.spec = spec
        self.device = device

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that changes the output beyond the weights; goes into the codec's identity."""
        return {}

    @abstractmethod
    def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
        """Encode waveforms ``[T_i]`` at ``spec.sample_rate`` into codes."""

    @abstractmethod
    def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
        """Decode codes into waveforms of exactly ``lengths[i]`` samples.

        Lengths are those of the audio that was encoded. A codec with a rate of its own for decoded
        audio returns ``spec.decoded_length(lengths[i])`` samples at that rate.
        """

    def stream(self) -> Stream:
        """Open a stream for one clip, if this codec can encode and decode piece by piece.

        Raises:
            InputError: it cannot.
        """
        raise InputError(f"codec {self.spec.name}", expected="a codec that streams", found="none")

    def blueprint(self) -> Blueprint | None:
        """The network for counting; ``None`` if not neural.

        A codec in the registry states it on its entry too, where no weights are needed.
        """
        return None

    def describe(self) -> dict[str, Any]:
        """JSON-able identity for run records."""
        spec = asdict(self.spec)
        if self.spec.output_sample_rate is None:
            del spec["output_sample_rate"]
        return {
            **spec,
            "num_codebooks": self.spec.num_codebooks,
            "settings": {**self.settings, **self.origin},
            "weights": asdict(self.weights),
        }


def num_bits(codes: Codes, codebook_sizes: Sequence[int]) -> float:
    """Bits that ``codes`` carry: frames times log2 of each codebook's size.

    Not rounded up to whole bits a code: an exact packer needs no more, and the published nominal
    bitrates (5989.0 b/s for SQCodec at 6 kbps) count this way.
    """
    return float(codes.shape[-1] * sum(math.log2(size) for size in codebook_sizes))
