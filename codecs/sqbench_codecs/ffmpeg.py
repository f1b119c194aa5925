"""MP3 and AMR-NB at constant bitrate, through the FFmpeg in PyAV's wheels.

FFmpeg has a decoder for Speex and none of its encoders, and its own AAC encoder has packets of
varying size without a constant bitrate, so neither is here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from sqbench_codecs.base import CodecSpec, Waveform
from sqbench_codecs.catalogue import CodecEntry
from sqbench_codecs.classical import FrameCodec, Framing, int16
from sqbench_codecs.neural import rate_name

AMR_BITS = {4750: 95, 5900: 118, 7400: 148, 12200: 244}
MP3_DELAY = 576 + 529  # LAME's encoder, and the decoder's filter bank


class FFmpeg(FrameCodec):
    """An encoder and a decoder of FFmpeg's, from packets of one size.

    Args:
        coders: names of encoder and decoder.
        header: bytes before each frame that say nothing of the audio; not counted.
    """

    def __init__(
        self, spec: CodecSpec, *, coders: tuple[str, str], header: bytes = b"", **options: Any
    ) -> None:
        super().__init__(spec, **options)
        self.coders, self.header = coders, header

    @property
    def settings(self) -> Mapping[str, Any]:
        import av

        library = ".".join(map(str, av.library_versions["libavcodec"]))
        return {**super().settings, "encoder": self.coders[0], "libavcodec": library}

    def _context(self, mode: Literal["r", "w"]) -> Any:
        import av

        context: Any = av.CodecContext.create(self.coders[mode == "r"], mode)
        context.sample_rate, context.layout = self.framing.sample_rate, "mono"
        if mode == "w":
            context.format = "s16"
            if "s16" not in [f.name for f in context.codec.audio_formats]:
                context.format = "fltp"
            assert self.spec.bitrate_bps is not None
            context.bit_rate = int(self.spec.bitrate_bps)
        context.open()
        return context

    def pack(self, frames: Waveform) -> Iterable[bytes]:
        import av

        encoder = self._context("w")
        for i, frame in enumerate(frames):
            kind = encoder.format.name
            samples = int16(frame) if kind == "s16" else frame
            given = av.AudioFrame.from_ndarray(samples[None], format=kind, layout="mono")
            given.sample_rate, given.pts = self.framing.sample_rate, i * self.framing.samples
            for packet in encoder.encode(given):
                yield bytes(packet)[len(self.header) :]
        for packet in encoder.encode(None):
            yield bytes(packet)[len(self.header) :]

    def unpack(self, packets: Sequence[bytes]) -> Iterable[Waveform]:
        import av

        decoder = self._context("r")
        for packet in [*(av.Packet(self.header + packet) for packet in packets), None]:
            for frame in decoder.decode(packet):
                samples = frame.to_ndarray()[0]
                integers = samples.dtype == np.int16
                yield samples.astype(np.float32) / 32768.0 if integers else samples


def entries() -> list[CodecEntry]:
    """``mp3-32k`` to ``mp3-128k``, ``amrnb-4k75`` to ``amrnb-12k2``."""
    found = [
        FFmpeg.entry(
            f"mp3-{kbps}k",
            Framing(sample_rate=48000, samples=1152, bits=kbps * 24, delay=MP3_DELAY),
            options={"coders": ("libmp3lame", "mp3float")},
            requires=("av",),
            extra="opus",
            summary="MP3 by LAME, CBR, 48 kHz",
        )
        for kbps in (32, 64, 128)
    ]
    for mode, (bitrate, bits) in zip((0, 2, 4, 7), AMR_BITS.items(), strict=True):
        found.append(
            FFmpeg.entry(
                f"amrnb-{rate_name(bitrate)}",
                Framing(sample_rate=8000, samples=160, bits=bits, delay=40),
                options={
                    "coders": ("libopencore_amrnb", "amrnb"),
                    "header": bytes([mode << 3 | 4]),  # its mode, and that the frame is intact
                },
                requires=("av",),
                extra="opus",
                summary="AMR narrowband, 8 kHz",
            )
        )
    return found
