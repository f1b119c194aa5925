"""The header of a ``.sqb`` file: which codec and weights, at what rate, how long."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from sqbench.errors import InputError
from sqbench_codecs import CodecSpec, Weights

MAGIC = b"SQB\x00"
VERSION = 1
MAX_SIZE = 64

_FIXED = struct.Struct("<4sBB8sIIQ")
_CRC = struct.Struct("<I")
MAX_NAME = MAX_SIZE - _FIXED.size - _CRC.size

_NO_WEIGHTS = bytes(8)


@dataclass(frozen=True, kw_only=True)
class Header:
    """What is to be known before the first code.

    Attributes:
        codec: registry name, up to `MAX_NAME` bytes of UTF-8.
        weights: the first eight bytes of the weights' SHA-256; zeros for a codec without weights.
        layout: CRC-32 of the codebook sizes as text, comma-separated.
        sample_rate: of the audio that was encoded, in Hz.
        length: of that audio, in samples.
    """

    codec: str
    weights: bytes
    layout: int
    sample_rate: int
    length: int

    def pack(self) -> bytes:
        """The header's bytes, at most `MAX_SIZE`.

        Raises:
            InputError: the codec's name is too long, or a number does not fit.
        """
        name = self.codec.encode()
        if not 0 < len(name) <= MAX_NAME:
            raise InputError(
                f"codec name {self.codec!r}",
                expected=f"1 to {MAX_NAME} bytes",
                found=str(len(name)),
                remedy="Give the codec a shorter name.",
            )
        fields = (self.weights, self.layout, self.sample_rate, self.length)
        try:
            data = _FIXED.pack(MAGIC, VERSION, len(name), *fields) + name
        except struct.error as error:
            raise InputError(
                "bitstream header", expected="numbers that fit", found=str(error)
            ) from None
        return data + _CRC.pack(zlib.crc32(data))

    @staticmethod
    def read(stream: BinaryIO, where: str) -> tuple[Header, int]:
        """The header at the start of ``stream``, and its checksum, from which the blocks' go on.

        Raises:
            InputError: it is none, of another version, damaged or cut off; names ``where``.
        """
        data = stream.read(_FIXED.size)
        if not data.startswith(MAGIC):
            raise InputError(where, expected="a .sqb file", found="something else")
        if len(data) == _FIXED.size and data[4] != VERSION:
            raise InputError(
                where,
                expected=f"format version {VERSION}",
                found=f"version {data[4]}",
                remedy="Update sqbench.",
            )
        size = data[5] if len(data) == _FIXED.size else 0
        data += stream.read(size)
        check = stream.read(_CRC.size)
        crc = zlib.crc32(data)
        if len(check) < _CRC.size:
            raise InputError(where, expected="a whole file", found="one cut off in its header")
        if _CRC.unpack(check)[0] != crc or not 0 < size <= MAX_NAME:
            raise InputError(where, expected="an intact file", found="a damaged header")
        _, _, _, weights, layout, rate, length = _FIXED.unpack(data[: _FIXED.size])
        try:
            name = data[_FIXED.size :].decode()
        except UnicodeDecodeError:
            raise InputError(where, expected="a codec's name", found="no UTF-8") from None
        header = Header(codec=name, weights=weights, layout=layout, sample_rate=rate, length=length)
        return header, crc


def layout_of(sizes: Sequence[int]) -> int:
    """CRC-32 that tells one list of codebook sizes from another."""
    return zlib.crc32(",".join(map(str, sizes)).encode())


def weights_of(weights: Weights) -> bytes:
    """The short hash of weights as a header has it."""
    return bytes.fromhex(weights.sha256[:16]) if weights.sha256 else _NO_WEIGHTS


def header_of(spec: CodecSpec, weights: Weights, sample_rate: int, length: int) -> Header:
    """The header for audio of ``length`` samples at ``sample_rate`` Hz through a codec."""
    return Header(
        codec=spec.name,
        weights=weights_of(weights),
        layout=layout_of(spec.codebook_sizes),
        sample_rate=sample_rate,
        length=length,
    )
