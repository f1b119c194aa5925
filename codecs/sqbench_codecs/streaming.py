"""Codecs in streams: ``sqcodec-6k@20ms`` is ``sqcodec-6k`` in chunks of 20 ms.

An operating point of its own: codes may be those of the whole clip, but audio that is decoded
before the clip has ended need not be. It is called ``sqcodec-6k-stream-20ms``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sqbench_codecs.base import Blueprint, Codec, CodecSpec, Codes, Waveform
from sqbench_codecs.registry import resolve
from sqcodec.errors import InputError

if TYPE_CHECKING:
    from sqbench_codecs.catalogue import CodecEntry

_NAME = re.compile(r"(?P<base>.+?)(?:@|-stream-)(?P<chunk>\d+(?:\.\d+)?)ms")
LONGEST_MS = 60000.0


class StreamingCodec(Codec):
    """A codec whose clips go through its `Codec.stream` in chunks."""

    def __init__(
        self, spec: CodecSpec, *, base: str, chunk_ms: float, weights: str = "auto",
        device: str = "cpu",
    ) -> None:  # fmt: skip
        catalogue = resolve("sqbench_codecs.catalogue:CODECS")
        self.codec: Codec = catalogue.get(base).load(weights=weights, device=device)
        # Of somebody's weights the facts are known when they are loaded.
        super().__init__(replace(self.codec.spec, name=spec.name), device=device)
        self.weights, self.chunk_ms = self.codec.weights, chunk_ms
        stream = self.codec.stream()
        self.latency_s: float = stream.latency_s
        self._settings = {"chunk_ms": chunk_ms, **stream.settings}

    @property
    def settings(self) -> Mapping[str, Any]:
        return {**self.codec.settings, "streaming": self._settings}

    def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
        return [self._encoded(clip) for clip in audio]

    def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
        pairs = zip(codes, lengths, strict=True)
        return [self._decoded(one, self.spec.decoded_length(length)) for one, length in pairs]

    def blueprint(self) -> Blueprint | None:
        return self.codec.blueprint()

    def chunks(self, length: int, rate: float) -> Iterator[slice]:
        """Consecutive slices of as much as a chunk is, of something with so many steps a second."""
        step = rate * self.chunk_ms / 1000
        start = index = 0
        while start < length:
            index += 1
            stop = min(length, round(index * step))
            if stop > start:
                yield slice(start, stop)
            start = stop

    def _encoded(self, clip: Waveform) -> Codes:
        stream = self.codec.stream().encoder
        assert self.spec.sample_rate is not None
        parts = [stream.push(clip[part]) for part in self.chunks(len(clip), self.spec.sample_rate)]
        return np.concatenate([*parts, stream.flush()], axis=1)

    def _decoded(self, codes: Codes, length: int) -> Waveform:
        stream = self.codec.stream().decoder
        assert self.spec.frame_rate is not None
        frames = self.chunks(codes.shape[1], self.spec.frame_rate)
        parts = [stream.push(codes[:, part]) for part in frames]
        return np.ascontiguousarray(np.concatenate([*parts, stream.flush()])[:length], np.float32)


def streaming_entry(name: str) -> CodecEntry | None:
    """The entry of ``NAME@20ms`` or ``NAME-stream-20ms``; ``None`` for a name of another kind.

    Raises:
        InputError: there is no such codec, it cannot stream, or a chunk cannot be that long.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    chunk = float(found["chunk"])
    base: CodecEntry = resolve("sqbench_codecs.catalogue:CODECS").get(found["base"])
    if not base.streams:
        raise InputError(
            f"codec {name!r}", expected="a codec that streams", found=base.name,
            remedy="SQCodec does: sqcodec-6k@20ms.",
        )  # fmt: skip
    if not 1 <= chunk <= LONGEST_MS:
        raise InputError(f"codec {name!r}", expected=f"chunks of 1 to {LONGEST_MS:g} ms")
    return replace(
        base,
        spec=replace(base.spec, name=base.name + _suffix(chunk)),
        target=f"{__name__}:StreamingCodec",
        options={"base": base.name, "chunk_ms": chunk},
        network=f"{__name__}:blueprint" if base.network else "",
        aliases=(),
        streams=False,
        prefixes=False,
    )


def blueprint(spec: CodecSpec, *, base: str, chunk_ms: float) -> Blueprint | None:
    """The network that streams: that of the codec."""
    entry: CodecEntry = resolve("sqbench_codecs.catalogue:CODECS").get(base)
    return entry.blueprint()


def _suffix(chunk_ms: float) -> str:
    return f"-stream-{chunk_ms:g}ms"
