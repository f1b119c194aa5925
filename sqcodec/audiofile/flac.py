"""FLAC: how many samples its header declares, and how many its last frame reaches to.

RFC 9639 gives the layout. Encoders that write to a pipe leave the header's number at 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqcodec.audiofile.chunked import Data

_TAIL = 1 << 21
"""A frame is shorter than this many bytes: 65535 samples of 8 channels."""

_BLOCK_SIZES = {1: 192, **{n: 576 << (n - 2) for n in range(2, 6)}}
_BLOCK_SIZES |= {n: 256 << (n - 8) for n in range(8, 16)}


@dataclass(frozen=True)
class Stream:
    """What a FLAC file says of its length.

    Attributes:
        declared: samples a channel in the header; 0 where it does not know.
        reached: samples a channel up to the end of the last frame; ``None`` where that frame is
            incomplete or damaged, by its checksum.
    """

    declared: int
    reached: int | None


def start_of(data: Data) -> int | None:
    """Where ``fLaC`` stands, behind an ID3 tag if there is one; ``None`` in other files."""
    at = 0
    if bytes(data[:3]) == b"ID3" and len(data) > 10:
        at = 10 + sum((data[6 + i] & 0x7F) << 7 * (3 - i) for i in range(4))
    return at if bytes(data[at : at + 4]) == b"fLaC" and len(data) >= at + 42 else None


def examine(data: Data, start: int) -> Stream:
    """The lengths of a file whose ``fLaC`` stands at ``start``."""
    declared = int.from_bytes(bytes(data[start + 21 : start + 26]), "big") & ((1 << 36) - 1)
    block = int.from_bytes(bytes(data[start + 10 : start + 12]), "big")
    tail = bytes(data[max(start + 42, len(data) - _TAIL) :])
    if tail[-128:-125] == b"TAG":
        tail = tail[:-128]
    at = len(tail)
    while (at := tail.rfind(b"\xff", 0, at)) >= 0:
        reached = _frame(tail[at : at + 16], block)
        # What looks like a header inside a frame fails here: its checksum does not come out. Zeros
        # behind the last frame do not change a checksum.
        if reached is not None and not _crc16(tail[at:]):
            return Stream(declared, reached)
    return Stream(declared, None)


def with_length(data: Data, start: int, length: int) -> bytes:
    """The file's bytes with this many samples in the header."""
    patched = bytearray(data)
    field = int.from_bytes(patched[start + 21 : start + 26], "big") >> 36 << 36 | length
    patched[start + 21 : start + 26] = field.to_bytes(5, "big")
    return bytes(patched)


def _frame(head: bytes, block: int) -> int | None:
    """Samples up to the end of the frame that starts here; ``None`` if none does."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xFE != 0xF8 or head[3] & 1:
        return None
    size_code, rate_code = head[2] >> 4, head[2] & 15
    if size_code == 0 or rate_code == 15 or head[3] >> 4 > 10:
        return None
    number, used = _utf8_number(head[4:11])
    if used == 0:
        return None
    at = 4 + used
    if size_code in (6, 7):
        wide = size_code - 5
        size = int.from_bytes(head[at : at + wide], "big") + 1
        at += wide
    else:
        size = _BLOCK_SIZES[size_code]
    at += 1 if rate_code == 12 else 2 if rate_code in (13, 14) else 0
    if at >= len(head) or _crc8(head[:at]) != head[at]:
        return None
    variable = head[1] & 1
    return (number if variable else number * block) + size


def _utf8_number(coded: bytes) -> tuple[int, int]:
    """A number in UTF-8's way (up to 36 bits), and how many bytes it takes; 0 if it is none."""
    if not coded:
        return 0, 0
    first = coded[0]
    if first < 0x80:
        return first, 1
    length = 8 - (first ^ 0xFF).bit_length()
    if not 2 <= length <= 7 or len(coded) < length:
        return 0, 0
    number = first & (0x7F >> length)
    for byte in coded[1:length]:
        if byte & 0xC0 != 0x80:
            return 0, 0
        number = number << 6 | byte & 0x3F
    return number, length


def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    top, mask = 1 << (bits - 1), (1 << bits) - 1
    found = []
    for byte in range(256):
        crc = byte << (bits - 8)
        for _ in range(8):
            crc = (crc << 1 ^ polynomial if crc & top else crc << 1) & mask
        found.append(crc)
    return tuple(found)


_CRC8, _CRC16 = _table(0x07, 8), _table(0x8005, 16)


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = _CRC8[crc ^ byte]
    return crc


def _crc16(data: bytes) -> int:
    """0 over a frame and the checksum that ends it."""
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFF00) ^ _CRC16[crc >> 8 ^ byte]
    return crc
