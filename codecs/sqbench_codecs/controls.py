"""Control codecs: known answers that a benchmark must give before it is believed.

``identity`` must score perfect, ``silence`` must score worst or be undefined, ``mulaw-8`` and
``resample-8k`` damage the audio in one well-understood way each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sqbench_codecs.base import Codec, CodecSpec, Codes, Waveform
from sqbench_codecs.catalogue import CodecEntry


def _spec(name: str, size: int, rate: int | None, bits: int) -> CodecSpec:
    return CodecSpec(
        name=name,
        sample_rate=rate,
        frame_rate=float(rate) if rate else None,
        codebook_sizes=(size,) if size > 1 else (),
        bitrate_bps=0.0 if size <= 1 else (float(rate * bits) if rate else None),
    )


class Identity(Codec):
    """Codes are the bit patterns of the float32 samples, at the audio's own rate."""

    spec = _spec("identity", 2**32, None, 32)

    def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
        return [
            np.ascontiguousarray(x, np.float32).view(np.uint32)[None].astype(np.int64)
            for x in audio
        ]

    def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
        return [
            c[0].astype(np.uint32).view(np.float32)[:n] for c, n in zip(codes, lengths, strict=True)
        ]


class Silence(Codec):
    """Sends nothing, plays zeros."""

    spec = _spec("silence", 1, None, 0)

    def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
        return [np.zeros((0, 0), np.int64) for _ in audio]

    def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
        return [np.zeros(n, np.float32) for n in lengths]


class MuLaw8(Codec):
    """Eight-bit mu-law (mu = 255, the continuous law of ITU-T G.711) at the audio's own rate."""

    spec = _spec("mulaw-8", 256, None, 8)

    def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
        out = []
        for x in audio:
            x = np.clip(np.asarray(x, np.float64), -1.0, 1.0)
            y = np.sign(x) * np.log1p(255.0 * np.abs(x)) / np.log(256.0)
            # 127 steps a side: zero is a level, so silence stays silent.
            out.append((np.rint(y * 127.0) + 127.0).astype(np.int64)[None])
        return out

    def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
        out = []
        for c, n in zip(codes, lengths, strict=True):
            y = (c[0, :n] - 127.0) / 127.0
            out.append(
                (np.sign(y) * np.expm1(np.abs(y) * np.log(256.0)) / 255.0).astype(np.float32)
            )
        return out


class Resample8k(Codec):
    """Sixteen-bit PCM at 8 kHz: what is left of audio without its upper band."""

    spec = _spec("resample-8k", 2**16, 8000, 16)

    def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
        return [
            (np.clip(np.rint(np.asarray(x, np.float64) * 32768.0), -32768, 32767) + 32768).astype(
                np.int64
            )[None]
            for x in audio
        ]

    def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
        return [
            ((c[0, :n] - 32768.0) / 32768.0).astype(np.float32)
            for c, n in zip(codes, lengths, strict=True)
        ]


def entries() -> list[CodecEntry]:
    """The control codecs' registry entries."""
    summaries = {
        "Identity": "control: nothing lost",
        "Silence": "control: everything lost",
        "MuLaw8": "control: 8-bit mu-law PCM",
        "Resample8k": "control: 16-bit PCM at 8 kHz",
    }
    return [
        CodecEntry(
            spec=cls.spec, target=f"{__name__}:{cls.__name__}", summary=summaries[cls.__name__]
        )
        for cls in (Identity, Silence, MuLaw8, Resample8k)
    ]
