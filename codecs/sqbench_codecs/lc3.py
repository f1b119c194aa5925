"""LC3 (Bluetooth LE Audio), through Google's liblc3 in the wheels of ``lc3py`` (Apache-2.0)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sqbench_codecs.base import Waveform
from sqbench_codecs.catalogue import CodecEntry
from sqbench_codecs.classical import FrameCodec, Framing
from sqbench_codecs.neural import rate_name

FRAME_US = 10000
POINTS = {16: (16, 24, 32), 48: (48, 64, 96)}
"""Sample rate in kHz to bitrates in kb/s."""


class LC3(FrameCodec):
    """Frames of 10 ms with a look-ahead of 2.5 ms."""

    @property
    def settings(self) -> Mapping[str, Any]:
        from importlib.metadata import version

        return {**super().settings, "lc3py": version("lc3py")}

    def pack(self, frames: Waveform) -> Iterable[bytes]:
        import lc3

        encoder = lc3.Encoder(FRAME_US, self.framing.sample_rate)
        for frame in frames:
            yield encoder.encode(frame, self.framing.bits // 8)

    def unpack(self, packets: Sequence[bytes]) -> Iterable[Waveform]:
        import lc3

        decoder = lc3.Decoder(FRAME_US, self.framing.sample_rate)
        for packet in packets:
            yield np.array(decoder.decode(packet), np.float32)


def entries() -> list[CodecEntry]:
    """``lc3-16k-16k`` to ``lc3-48k-96k``."""
    found = []
    for khz, rates in POINTS.items():
        for kbps in rates:
            framing = Framing(
                sample_rate=khz * 1000, samples=khz * 10, bits=kbps * 10, delay=khz * 5 // 2
            )
            found.append(
                LC3.entry(
                    f"lc3-{khz}k-{rate_name(kbps * 1000)}",
                    framing,
                    requires=("lc3",),
                    extra="classical",
                    summary="LC3, 10 ms frames",
                )
            )
    return found
