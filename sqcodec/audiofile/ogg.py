"""Ogg: pages that carry their number and checksum, the last of which says that it is the last.

RFC 3533 gives the layout of a page.
"""

from __future__ import annotations

import zlib

from sqcodec.audiofile.chunked import Data

_HEADER = 27
_FIRST, _LAST = 0x02, 0x04
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def damage(data: Data) -> str | None:
    """What the pages of an Ogg file say is wrong with it; ``None`` if they are whole."""
    at = 0
    numbers: dict[int, int] = {}
    open_streams: set[int] = set()
    while at + _HEADER <= len(data):
        if bytes(data[at : at + 4]) != b"OggS":
            return f"damaged: no page at byte {at} of {len(data)}"
        segments = data[at + 26]
        table = bytes(data[at + _HEADER : at + _HEADER + segments])
        end = at + _HEADER + segments + sum(table)
        if len(table) < segments or end > len(data):
            return "cut off: the last page is incomplete"
        page = bytes(data[at:end])
        serial = int.from_bytes(page[14:18], "little")
        number = int.from_bytes(page[18:22], "little")
        if checksum(page[:22] + bytes(4) + page[26:]) != int.from_bytes(page[22:26], "little"):
            return f"damaged: page {number} has a wrong checksum"
        expected = numbers.get(serial, number - 1) + 1
        if number != expected and serial in open_streams:
            return f"damaged: page {number} follows page {expected - 1}"
        if page[5] & _FIRST and numbers and not open_streams:
            return "damaged: a stream follows the first, which alone would be read"
        numbers[serial] = number
        if page[5] & _LAST:
            open_streams.discard(serial)
        else:
            open_streams.add(serial)
        at = end
    if open_streams:
        return "cut off: the page that marks the end is missing"
    if any(bytes(data[at:])):
        return "cut off: the last page is incomplete"
    return None


def checksum(page: bytes) -> int:
    """The CRC-32 of a page: polynomial 0x04C11DB7 from the highest bit, from 0, nothing inverted.

    `zlib` has the same polynomial from the lowest bit, inverted at both ends; reversed bits and
    two inversions make one of the other, at the speed of C.
    """
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_REVERSED), "big")
