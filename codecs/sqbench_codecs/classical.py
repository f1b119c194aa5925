"""What classical codecs of frames of one size share: alignment, codes, bits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sqbench_codecs.base import Codec, CodecSpec, Codes, Waveform
from sqbench_codecs.catalogue import CodecEntry
from sqcodec.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Framing:
    """One operating point.

    Attributes:
        sample_rate: in Hz.
        samples, bits: a frame's.
        delay: samples by which decoded audio comes later; dropped, so that it is aligned.
    """

    sample_rate: int
    samples: int
    bits: int
    delay: int

    @property
    def spec_sizes(self) -> tuple[int, ...]:
        """One code a byte; the last one has the bits that are left."""
        whole, rest = divmod(self.bits, 8)
        return (256,) * whole + ((2**rest,) if rest else ())

    def spec(self, name: str) -> CodecSpec:
        frame_rate = self.sample_rate / self.samples
        return CodecSpec(
            name=name,
            sample_rate=self.sample_rate,
            frame_rate=frame_rate,
            codebook_sizes=self.spec_sizes,
            bitrate_bps=frame_rate * self.bits,
        )


class FrameCodec(Codec):
    """Frames of ``framing.bits`` bits each; the codes are their bytes, ``[bytes, frames]``."""

    def __init__(
        self, spec: CodecSpec, *, framing: Framing, weights: str = "auto", device: str = "cpu"
    ) -> None:
        super().__init__(spec, weights=weights, device=device)
        self.framing = framing
        self._spare = -framing.bits % 8

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"frame_samples": self.framing.samples, "delay_dropped": self.framing.delay}

    def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
        out = []
        for x in audio:
            frames = -(-(len(x) + self.framing.delay) // self.framing.samples)
            padded = np.zeros(frames * self.framing.samples, np.float32)
            padded[: len(x)] = np.clip(x, -1.0, 1.0)
            # Flushing may add packets beyond the frames that the audio needs.
            packets = list(self.pack(padded.reshape(frames, -1)))[:frames]
            octets = np.frombuffer(b"".join(packets), np.uint8).reshape(frames, -1).T
            codes: Codes = octets.astype(np.int64)
            codes[-1] >>= self._spare
            out.append(codes)
        return out

    def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
        out = []
        for c, length in zip(codes, lengths, strict=True):
            payload = c.copy()
            payload[-1] <<= self._spare
            packets = [bytes(column) for column in payload.T.astype(np.uint8)]
            audio = np.concatenate([np.empty(0, np.float32), *self.unpack(packets)])
            samples = audio[self.framing.delay : self.framing.delay + length]
            if len(samples) != length:
                raise InputError(
                    f"{self.spec.name} codes",
                    expected=f"{length} samples",
                    found=f"frames for {len(samples)}",
                )
            out.append(samples.astype(np.float32))
        return out

    @abstractmethod
    def pack(self, frames: Waveform) -> Iterable[bytes]:
        """Frames ``[F, samples]`` to a packet each, from a fresh state."""

    @abstractmethod
    def unpack(self, packets: Sequence[bytes]) -> Iterable[Waveform]:
        """Packets to audio in parts, from a fresh state."""

    @classmethod
    def entry(cls, name: str, framing: Framing, **facts: Any) -> CodecEntry:
        """A registry entry of this family."""
        options = {"framing": framing, **facts.pop("options", {})}
        target = f"{cls.__module__}:{cls.__name__}"
        return CodecEntry(spec=framing.spec(name), target=target, options=options, **facts)


def int16(samples: Waveform) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Samples in -1 to 1 as 16-bit PCM."""
    found: np.ndarray[Any, np.dtype[np.int16]] = np.clip(
        np.rint(samples * 32768.0), -32768, 32767
    ).astype(np.int16)
    return found
