"""Opus (RFC 6716) at constant bitrate: the classical baseline that everyone knows.

Through PyAV, whose wheels carry libopus. The codes are the payload bytes of the packets: Ogg
framing, which adds some 15 % at 6 kbps, is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from sqbench_codecs.base import Codec, CodecSpec, Codes, Waveform
from sqbench_codecs.catalogue import CodecEntry
from sqcodec.errors import InputError

SAMPLE_RATE = 48000
FRAME = 960  # 20 ms
PRESKIP = 312  # libopus' look-ahead at 48 kHz, which the decoder drops
BITRATES = {f"{kbps}k": 1000 * kbps for kbps in (6, 8, 12, 16, 24, 32, 48, 64)}


class Opus(Codec):
    """libopus, ``application=audio``, hard CBR, 20 ms frames: packets of equal size."""

    @property
    def settings(self) -> Mapping[str, Any]:
        import av

        codec_library = ".".join(map(str, av.library_versions["libavcodec"]))
        return {
            "application": "audio",
            "frame_ms": 20,
            "vbr": "off",
            "av": av.__version__,
            "libavcodec": codec_library,
        }

    def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
        return [self._encode(x) for x in audio]

    def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
        return [self._decode(c, n) for c, n in zip(codes, lengths, strict=True)]

    def _context(self, mode: Literal["r", "w"]) -> Any:
        import av

        name: str = "libopus"  # as plain text it is any kind of codec to the type checker
        context: Any = av.CodecContext.create(name, mode)
        context.sample_rate = SAMPLE_RATE
        context.layout = "mono"
        if mode == "w":
            context.format = "flt"
            assert self.spec.bitrate_bps is not None
            context.bit_rate = int(self.spec.bitrate_bps)
            context.options = {"vbr": "off", "frame_duration": "20", "application": "audio"}
        return context

    def _encode(self, x: Waveform) -> Codes:
        import av

        encoder = self._context("w")
        encoder.open()
        packets = []
        frames = -(-(len(x) + PRESKIP) // FRAME)
        padded = np.zeros(frames * FRAME, np.float32)
        # Opus knows no sample beyond full scale.
        padded[: len(x)] = np.clip(x, -1.0, 1.0)
        for start in range(0, len(padded), FRAME):
            frame = av.AudioFrame.from_ndarray(
                padded[None, start : start + FRAME], format="flt", layout="mono"
            )
            frame.sample_rate = SAMPLE_RATE
            frame.pts = start
            packets += [bytes(packet) for packet in encoder.encode(frame)]
        packets += [bytes(packet) for packet in encoder.encode(None)]
        # The flush adds a packet of padding beyond the frames that the audio needs.
        payload = b"".join(packets[:frames])
        return np.frombuffer(payload, np.uint8).astype(np.int64)[None]

    def _decode(self, codes: Codes, length: int) -> Waveform:
        import av

        assert self.spec.bitrate_bps is not None
        size = int(self.spec.bitrate_bps) // 400  # bytes in 20 ms
        payload = codes[0].astype(np.uint8).tobytes()
        if len(payload) % size:
            raise InputError(
                f"{self.spec.name} codes",
                expected=f"a multiple of {size} bytes",
                found=f"{len(payload)}",
            )
        decoder = self._context("r")
        decoder.extradata = b"OpusHead" + bytes(
            [1, 1, *PRESKIP.to_bytes(2, "little"), *SAMPLE_RATE.to_bytes(4, "little"), 0, 0, 0]
        )
        out = []
        for start in range(0, len(payload), size):
            for frame in decoder.decode(av.Packet(payload[start : start + size])):
                out.append(frame.to_ndarray()[0])
        samples = np.concatenate(out)[:length]
        if samples.dtype == np.int16:
            samples = samples / 32768.0
        if len(samples) != length:
            raise InputError(
                f"{self.spec.name} codes",
                expected=f"{length} samples",
                found=f"packets for {len(samples)}",
            )
        return samples.astype(np.float32)


def entries() -> list[CodecEntry]:
    """``opus-6k`` to ``opus-64k``."""
    return [
        CodecEntry(
            spec=CodecSpec(
                name=f"opus-{name}",
                sample_rate=SAMPLE_RATE,
                frame_rate=bitrate / 8,
                codebook_sizes=(256,),
                bitrate_bps=float(bitrate),
            ),
            target=f"{__name__}:Opus",
            requires=("av",),
            extra="opus",
            summary="libopus, CBR; one code is one payload byte",
        )
        for name, bitrate in BITRATES.items()
    ]
