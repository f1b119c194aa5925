"""Writing and reading ``.sqb`` streams, block by block, in bounded memory.

A checksum runs from the header through every block, so that a block that is damaged, missing,
repeated or of another file is found where it stands.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np

from sqbench.bitstream.header import Header, layout_of
from sqbench.bitstream.packing import pack, packed_size, unpack
from sqbench.errors import InputError
from sqbench_codecs import Codes

BLOCK_CODES = 1024
"""Codes of a full block, or one frame if that has more."""

_FRAMES = struct.Struct("<H")
_TOTAL = struct.Struct("<Q")
_CRC = struct.Struct("<I")


def frames_per_block(sizes: Sequence[int]) -> int:
    """Frames of every block but the last, which may be shorter."""
    return max(1, BLOCK_CODES // len(sizes))


class Writer:
    """Writes codes to a binary stream, which need not be seekable.

    Args:
        stream: gets the header at once.
        header: of the file.
        sizes: of the codebooks.

    Call `close` at the end: a stream without the closing block counts as cut off.
    """

    def __init__(self, stream: BinaryIO, header: Header, sizes: Sequence[int]) -> None:
        if not sizes:
            raise InputError(
                f"codec {header.codec!r}", expected="codes to write", found="a codec without any"
            )
        self.payload_bytes = 0
        self._stream, self._sizes = stream, tuple(sizes)
        self._waiting: Codes = np.empty((len(sizes), 0), np.int64)
        self._frames = 0
        data = header.pack()
        self._crc = zlib.crc32(data[: -_CRC.size])
        stream.write(data)

    def write(self, codes: Codes) -> None:
        """Add codes ``[num_codebooks, frames]``; any number of frames at a time.

        Raises:
            ValueError: a code is out of range.
        """
        self._waiting = np.concatenate([self._waiting, codes], axis=1)
        step = frames_per_block(self._sizes)
        whole = self._waiting.shape[1] // step * step
        for start in range(0, whole, step):
            self._block(self._waiting[:, start : start + step])
        self._waiting = self._waiting[:, whole:]

    def close(self) -> None:
        """Write what is waiting and the closing block. The stream stays open."""
        if self._waiting.shape[1]:
            self._block(self._waiting)
        self._put(_FRAMES.pack(0) + _TOTAL.pack(self._frames))

    def _block(self, codes: Codes) -> None:
        payload = pack(codes, self._sizes)
        self._frames += codes.shape[1]
        self.payload_bytes += len(payload)
        self._put(_FRAMES.pack(codes.shape[1]) + payload)

    def _put(self, data: bytes) -> None:
        self._crc = zlib.crc32(data, self._crc)
        self._stream.write(data + _CRC.pack(self._crc))


class Reader:
    """Reads a stream that `Writer` wrote.

    Args:
        stream: binary; the header is read at once.
        where: what to call it in errors.

    Raises:
        InputError: it does not begin with an intact header.
    """

    def __init__(self, stream: BinaryIO, where: str) -> None:
        self._stream, self._where = stream, where
        self.header, self._crc = Header.read(stream, where)

    def blocks(self, sizes: Sequence[int]) -> Iterator[Codes]:
        """Codes ``[num_codebooks, frames]``, a block at a time.

        Never more than a block is held, whatever the stream says of itself.

        Raises:
            InputError: the codes are of other codebooks, or the stream is damaged or cut off.
        """
        if layout_of(sizes) != self.header.layout or not sizes:
            raise self._error(f"codes of {len(sizes)} codebooks of this codec", "others")
        sizes, full = tuple(sizes), frames_per_block(sizes)
        total, last = 0, False
        while True:
            head = self._take(_FRAMES.size)
            (frames,) = _FRAMES.unpack(head)
            if frames == 0:
                break
            if frames > full or last:  # only the last block may be short
                raise self._error("an intact file", f"a damaged block after frame {total}")
            last = frames < full
            payload = self._take(packed_size(sizes, frames))
            self._check(head + payload, total)
            try:
                codes = unpack(payload, sizes, frames)
            except ValueError as error:
                raise self._error("codes", f"{error} after frame {total}") from None
            yield codes
            total += frames
        count = self._take(_TOTAL.size)
        self._check(head + count, total)
        if _TOTAL.unpack(count)[0] != total:
            raise self._error(f"{_TOTAL.unpack(count)[0]} frames", str(total))
        if self._stream.read(1):
            raise self._error("the end of the file", "more bytes after it")

    def _take(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise self._error("a whole file", "one that is cut off")
        return data

    def _check(self, data: bytes, frame: int) -> None:
        self._crc = zlib.crc32(data, self._crc)
        if _CRC.unpack(self._take(_CRC.size))[0] != self._crc:
            raise self._error("an intact file", f"a damaged block after frame {frame}")

    def _error(self, expected: str, found: str) -> InputError:
        return InputError(
            self._where, expected=expected, found=found, remedy="Encode or copy it again."
        )
