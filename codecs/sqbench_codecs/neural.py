"""What every codec with a network shares: padding, batches, long audio, exact lengths.

A family says how its network is loaded and called; what is here makes that keep the contract.
Nothing is resampled or normalised.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sqbench_codecs.base import Blueprint, Codec, CodecSpec, Codes, Waveform, Weights
from sqbench_codecs.catalogue import CodecEntry
from sqbench_codecs.pretrained import Published, locate, readiness
from sqcodec.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH_S = 120.0
"""Seconds of audio that share a batch at most: what keeps its memory bounded."""


@dataclass(frozen=True, kw_only=True)
class LongAudio:
    """How audio is coded that is too long to be coded whole.

    Up to ``whole_s`` seconds it is coded whole. Beyond, ``chunk_s`` at a time, each chunk with
    ``context_s`` more on either side, of which the codes (or samples) are thrown away. Lengths are
    rounded to whole frames.
    """

    whole_s: float
    chunk_s: float
    context_s: float

    def __str__(self) -> str:
        return (
            f"whole up to {self.whole_s:g} s, else {self.chunk_s:g} s at a time "
            f"with {self.context_s:g} s of context on either side"
        )

    def pieces(self, frames: int, frame_rate: float, unit: int = 1) -> Iterable[tuple[int, ...]]:
        """``(from, first kept, end of kept, to)`` in frames, from and first multiples of ``unit``.

        Example:
            >>> list(LongAudio(whole_s=9, chunk_s=4, context_s=1).pieces(10, 1.0))
            [(0, 0, 4, 5), (3, 4, 8, 9), (7, 8, 10, 10)]
        """
        if frames <= self.whole_s * frame_rate:
            yield 0, 0, frames, frames
            return
        chunk = max(1, round(self.chunk_s * frame_rate / unit)) * unit
        context = round(self.context_s * frame_rate / unit) * unit
        for start in range(0, frames, chunk):
            end = min(start + chunk, frames)
            yield max(0, start - context), start, end, min(end + context, frames)


class NeuralCodec(Codec):
    """A network behind the contract. A family fills in the six methods at the end.

    On a CPU clips run one by one: a batch is no faster there, and alone a clip's codes do not
    depend on its neighbours to the last bit. On a GPU clips of one padded length share a batch,
    because padding beyond that would change the frames that it touches.

    Attributes:
        least: multiples (see `multiple`) that a clip is padded to at least.
        shares_batches: whether clips of one length may share a batch.
        long: see `LongAudio`.
        prefixes: whether the first codebooks, any number of them, are a codec too.
    """

    least: int = 1
    shares_batches: bool = True
    prefixes: bool = False
    long: LongAudio

    def __init__(self, spec: CodecSpec, *, weights: str = "auto", device: str = "cpu") -> None:
        super().__init__(spec, device=device)
        from sqcodec.checkpoint import tensors_sha256

        found = locate(self.published(spec), weights, spec.name)
        network = self.load(found.files)
        self.weights = Weights(
            source=found.source, sha256=tensors_sha256(network), detail=found.detail
        )
        self.network = network.to(device).eval()
        self.one_by_one = device == "cpu" or not self.shares_batches

    @property
    def settings(self) -> Mapping[str, Any]:
        multiple = self.multiple(self.spec)
        return {
            "padding": f"zeros to a multiple of {multiple} samples"
            + (f", at least {self.least}" if self.least > 1 else "")
            if multiple > 1
            else "by the network" + (f", zeros to {self.least} samples" if self.least > 1 else ""),
            "long_audio": str(self.long),
        }

    @property
    def hop(self) -> int:
        """Samples a frame."""
        assert self.spec.sample_rate is not None
        assert self.spec.frame_rate is not None
        return round(self.spec.sample_rate / self.spec.frame_rate)

    @property
    def decoded_hop(self) -> int:
        """Samples a frame of decoded audio."""
        return self.spec.decoded_length(self.hop)

    @property
    def unit(self) -> int:
        """Frames of long audio are cut at multiples of this."""
        return max(1, self.multiple(self.spec) // self.hop)

    def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
        out: list[Codes] = [np.empty((self.spec.num_codebooks, 0), np.int64)] * len(audio)
        multiple = self.multiple(self.spec)
        padded = [max(-(-len(x) // multiple), self.least) * multiple for x in audio]
        for group in self._groups(padded):
            batch = np.zeros((len(group), padded[group[0]]), np.float32)
            for row, i in enumerate(group):
                batch[row, : len(audio[i])] = audio[i]
            codes = self._encode(batch)
            for row, i in enumerate(group):
                out[i] = codes[row]
        return out

    def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
        out: list[Waveform] = [np.empty(0, np.float32)] * len(codes)
        for group in self._groups([c.shape[-1] * self.hop for c in codes]):
            audio = self._decode(np.stack([codes[i] for i in group]))
            for row, i in enumerate(group):
                out[i] = self._fit(audio[row], self.spec.decoded_length(lengths[i]))
        return out

    def _fit(self, audio: Waveform, length: int) -> Waveform:
        """Cut to ``length``; zeros where transposed convolutions end within the last frame."""
        if length - len(audio) >= self.decoded_hop:
            raise InputError(
                f"{self.spec.name} codes",
                expected=f"{length} samples",
                found=f"frames for {len(audio)}",
            )
        out = np.zeros(length, np.float32)
        out[: len(audio)] = audio[:length]
        return out

    def _groups(self, sizes: Sequence[int]) -> Iterable[list[int]]:
        assert self.spec.sample_rate is not None
        if self.one_by_one:
            return [[i] for i in range(len(sizes))]
        by_size: dict[int, list[int]] = defaultdict(list)
        for i, size in enumerate(sizes):
            by_size[size].append(i)
        groups = []
        for size, members in by_size.items():
            most = max(1, int(BATCH_S * self.spec.sample_rate / max(size, 1)))
            groups += [members[i : i + most] for i in range(0, len(members), most)]
        return groups

    def _encode(self, batch: Waveform) -> Codes:
        """``[B, T]`` to ``[B, num_codebooks, frames]``."""
        assert self.spec.frame_rate is not None
        kept = []
        frames = -(-batch.shape[-1] // self.hop)
        for begin, first, last, end in self.long.pieces(frames, self.spec.frame_rate, self.unit):
            piece = self._run(self.encode_batch, batch[:, begin * self.hop : end * self.hop])
            kept.append(piece[:, :, first - begin : last - begin if last < frames else None])
        return np.concatenate(kept, axis=-1).astype(np.int64)

    def _decode(self, codes: Codes) -> Waveform:
        """``[B, num_codebooks, frames]`` to ``[B, about frames * hop]``."""
        assert self.spec.frame_rate is not None
        kept = []
        frames = codes.shape[-1]
        for begin, first, last, end in self.long.pieces(frames, self.spec.frame_rate, self.unit):
            piece = self._run(self.decode_batch, codes[:, :, begin:end])
            stop = (last - begin) * self.decoded_hop if last < frames else None
            kept.append(piece[:, (first - begin) * self.decoded_hop : stop])
        return np.concatenate(kept, axis=-1).astype(np.float32)

    def _run(self, step: Any, array: Any) -> Any:
        import torch

        with torch.inference_mode():
            tensor = torch.from_numpy(np.ascontiguousarray(array)).to(self.device)
            return step(self.network, tensor, self.spec).cpu().numpy()

    def blueprint(self) -> Blueprint:
        return self.plan(self.spec)

    @classmethod
    def plan(cls, spec: CodecSpec) -> Blueprint:
        """The network for counting, without weights."""

        def build() -> nn.Module:
            import torch

            from sqbench_codecs.whole import Whole

            with torch.device("meta"):
                network = cls.skeleton(spec)
            return Whole(
                network, spec, cls.encode_batch, cls.decode_batch, cls.multiple(spec)
            ).eval()

        parts = {
            part: tuple(f"network.{name}" for name in names)
            for part, names in cls.parts(spec).items()
        }
        return Blueprint(build=build, parts=parts)

    @classmethod
    def entry(
        cls,
        spec: CodecSpec,
        *,
        summary: str,
        requires: tuple[str, ...] = ("transformers",),
        extra: str = "codecs",
        aliases: tuple[str, ...] = (),
    ) -> CodecEntry:
        """A registry entry of this family."""
        return CodecEntry(
            spec=spec,
            target=f"{cls.__module__}:{cls.__name__}",
            network=f"{cls.__module__}:{cls.__name__}.plan",
            requires=requires,
            extra=extra,
            aliases=aliases,
            weights=partial(readiness, cls.published(spec)),
            summary=summary,
            prefixes=cls.prefixes,
        )

    @staticmethod
    def multiple(spec: CodecSpec) -> int:
        """Zeros are appended up to a multiple of so many samples, as the published code does.

        1 where the network pads by itself.
        """
        return 1

    @staticmethod
    @abstractmethod
    def published(spec: CodecSpec) -> Published:
        """Where its weights were published."""

    @abstractmethod
    def load(self, files: Mapping[str, Path]) -> nn.Module:
        """The network with these weights, strictly."""

    @staticmethod
    @abstractmethod
    def skeleton(spec: CodecSpec) -> nn.Module:
        """The network in its published size, without weights, on the current default device."""

    @staticmethod
    @abstractmethod
    def parts(spec: CodecSpec) -> Mapping[str, Sequence[str]]:
        """Its submodules by part, as `Blueprint` has them."""

    @staticmethod
    @abstractmethod
    def encode_batch(network: Any, audio: Tensor, spec: CodecSpec) -> Tensor:
        """Audio ``[B, T]`` to codes ``[B, num_codebooks, frames]``."""

    @staticmethod
    @abstractmethod
    def decode_batch(network: Any, codes: Tensor, spec: CodecSpec) -> Tensor:
        """Codes ``[B, num_codebooks, frames]`` to audio ``[B, T]``."""


def uniform_spec(
    name: str, sample_rate: int, hop: int, codebook_size: int, num_codebooks: int
) -> CodecSpec:
    """The facts of an operating point whose codebooks have one size."""
    frame_rate = sample_rate / hop
    return CodecSpec(
        name=name,
        sample_rate=sample_rate,
        frame_rate=frame_rate,
        codebook_sizes=(codebook_size,) * num_codebooks,
        bitrate_bps=frame_rate * math.log2(codebook_size) * num_codebooks,
    )


def rate_name(bitrate_bps: float) -> str:
    """A bitrate as names have it.

    Example:
        >>> [rate_name(r) for r in (750, 1500, 2250, 24000)]
        ['750', '1k5', '2k25', '24k']
    """
    if bitrate_bps < 1000:
        return f"{bitrate_bps:g}"
    whole, _, rest = f"{bitrate_bps / 1000:g}".partition(".")
    return f"{whole}k{rest}"
