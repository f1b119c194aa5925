"""Codec2 (Rowe), the open vocoder at 8 kHz, through ``pycodec2`` (BSD; libcodec2 is LGPL-2.1)."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sqbench_codecs.base import Waveform
from sqbench_codecs.catalogue import CodecEntry
from sqbench_codecs.classical import FrameCodec, Framing, int16
from sqbench_codecs.neural import rate_name

MODES = {
    700: (320, 28, 240),
    1200: (320, 48, 160),
    1300: (320, 52, 160),
    1400: (320, 56, 160),
    1600: (320, 64, 160),
    2400: (160, 48, 160),
    3200: (160, 64, 160),
}
"""Bits a second to samples and bits a frame, and the delay.

The delay of a vocoder, whose waveform is not that of its input, is that of its envelope: 160 and
240 samples to within 10, with a harmonic tone that is switched on and off.
"""
_MODE_NUMBERS = {3200: 0, 2400: 1, 1600: 2, 1400: 3, 1300: 4, 1200: 5, 700: 8}
"""Of ``codec2.h``."""


class Codec2(FrameCodec):
    """Sinusoids by pitch, spectral envelope and voicing: no waveform is coded."""

    @property
    def settings(self) -> Mapping[str, Any]:
        from importlib.metadata import version

        return {**super().settings, "pycodec2": version("pycodec2")}

    @property
    def _mode(self) -> int:
        assert self.spec.bitrate_bps is not None
        return round(self.spec.bitrate_bps)

    def pack(self, frames: Waveform) -> Iterable[bytes]:
        import pycodec2

        encoder = pycodec2.Codec2(self._mode)
        for frame in frames:
            yield encoder.encode(int16(frame))

    def unpack(self, packets: Sequence[bytes]) -> Iterable[Waveform]:
        # The decoder draws phases from a counter of the library's that nothing resets, so what it
        # gives depends on all that it decoded before; in a library of its own it starts anew.
        with _fresh_library() as library:
            decoder = library.codec2_create(_MODE_NUMBERS[self._mode])
            out = np.empty(self.framing.samples, np.int16)
            for packet in packets:
                library.codec2_decode(decoder, out.ctypes.data, packet)
                yield out.astype(np.float32) / 32768.0
            library.codec2_destroy(decoder)


@contextmanager
def _fresh_library() -> Iterator[Any]:
    """A copy of libcodec2, with its static variables as they are at a program's start."""
    import _ctypes

    import pycodec2

    folder = Path(pycodec2.__file__).parent.parent / "pycodec2.libs"
    with tempfile.NamedTemporaryFile(suffix=".so") as copy:
        copy.write(next(folder.glob("libcodec2*")).read_bytes())
        copy.flush()
        library = ctypes.CDLL(copy.name)
    library.codec2_create.restype = ctypes.c_void_p
    library.codec2_decode.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p]
    library.codec2_destroy.argtypes = [ctypes.c_void_p]
    try:
        yield library
    finally:
        _ctypes.dlclose(library._handle)


def entries() -> list[CodecEntry]:
    """``codec2-700`` to ``codec2-3k2``."""
    return [
        Codec2.entry(
            f"codec2-{rate_name(mode)}",
            Framing(sample_rate=8000, samples=samples, bits=bits, delay=delay),
            requires=("pycodec2",),
            extra="classical",
            summary="Codec2, 700C" if mode == 700 else "Codec2",
        )
        for mode, (samples, bits, delay) in MODES.items()
    ]
