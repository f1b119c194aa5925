"""Formats that state the size of their audio in a header: WAV, RF64, W64, AIFF, AU, CAF and others.

A header's length is one of three: right; unknown (0 or the largest number, as encoders write that
cannot go back); or larger than the file, which then was cut off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

Data: TypeAlias = "bytes | memoryview"
"""The file's bytes; a `memoryview` of a mapped file costs no memory."""

_NEARLY = 1 << 16
"""Encoders that do not know a length write 2^31 or 2^32, less what stands before the audio."""

_HEADER_ERROR = 256
"""Some writers count the header as audio; a file is not cut off for so many bytes if its outer
size is right."""


@dataclass(frozen=True)
class Payload:
    """Where the audio of a file lies.

    Attributes:
        start: its first byte.
        declared: how many bytes the header says; ``None`` where it does not know.
        there: how many bytes there are from ``start`` to the end of the file.
        size_field: where the size is written, as ``(offset, bytes, byte order)``.
        outer_is_right: whether the container's own size agrees with the file's.
    """

    start: int
    declared: int | None
    there: int
    size_field: tuple[int, int, str] | None = None
    outer_is_right: bool = False

    @property
    def missing(self) -> int:
        """Bytes that the header promises and the file does not have."""
        lost = (self.declared or 0) - self.there
        return 0 if lost <= (_HEADER_ERROR if self.outer_is_right else 0) else lost


def payload(data: Data) -> Payload | None:
    """The audio of a file in one of these formats; ``None`` for any other, or without audio."""
    head = bytes(data[:12])
    if head[:4] in (b"RIFF", b"RF64", b"RIFX") and head[8:] == b"WAVE":
        return _wave(data, "big" if head[:4] == b"RIFX" else "little")
    if head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC", b"8SVX", b"16SV"):
        return _form(data, head[8:])
    if head[:4] == b"riff":
        return _wave64(data)
    if head[:4] == b"caff":
        return _caf(data)
    if head[:4] in (b".snd", b"dns."):
        return _au(data, "big" if head[:4] == b".snd" else "little")
    if head[:7] == b"NIST_1A":
        return _nist(data)
    if bytes(data[:19]) == b"Creative Voice File":
        return _voc(data)
    if head[:4] == b"2BIT" and len(data) > 128:
        width = (_number(data, 14, 2) + 7) // 8
        channels = 2 if _number(data, 12, 2) else 1
        return Payload(128, _number(data, 26, 4) * width * channels, len(data) - 128)
    return None


def _number(data: Data, at: int, size: int, order: str = "big") -> int:
    return int.from_bytes(bytes(data[at : at + size]), "little" if order == "little" else "big")


def _known(size: int, there: int, bits: int = 32) -> int | None:
    """A declared size, or ``None`` for what stands for "unknown"."""
    for top in (1 << bits, 1 << (bits - 1)):
        if top - _NEARLY <= size <= top and size != there:
            return None
    return None if size == 0 and there else size


def _wave(data: Data, order: str) -> Payload | None:
    outer_is_right = _number(data, 4, 4, order) + 8 in (len(data), len(data) - 1)
    at, large, large_at = 12, None, 0
    while at + 8 <= len(data):
        name, size = bytes(data[at : at + 4]), _number(data, at + 4, 4, order)
        if name == b"ds64":
            large, large_at = _number(data, at + 16, 8, order), at + 16
        if name == b"data":
            there = len(data) - at - 8
            if size == 0xFFFFFFFF and large is not None:
                return Payload(at + 8, _known(large, there, 64), there, (large_at, 8, order))
            if size == 0 and _chunks_follow(data, at + 8, order):
                return Payload(at + 8, 0, 0)
            field = (at + 4, 4, order)
            return Payload(at + 8, _known(size, there), there, field, outer_is_right)
        at += 8 + size + size % 2
    return None


def _chunks_follow(data: Data, at: int, order: str) -> bool:
    """Whether chunks fill the rest of the file, so that a size of 0 before them is meant."""
    while at + 8 <= len(data):
        if not re.fullmatch(rb"[A-Za-z0-9_ ]{4}", bytes(data[at : at + 4])):
            return False
        size = _number(data, at + 4, 4, order)
        at += 8 + size + size % 2
    return at in (len(data), len(data) + 1)


def _form(data: Data, kind: bytes) -> Payload | None:
    outer_is_right = _number(data, 4, 4) + 8 in (len(data), len(data) - 1)
    body, before = (b"SSND", 8) if kind in (b"AIFF", b"AIFC") else (b"BODY", 0)
    at, frames, width = 12, None, 0
    while at + 8 <= len(data):
        name, size = bytes(data[at : at + 4]), _number(data, at + 4, 4)
        if name == b"COMM":
            bits = _number(data, at + 14, 2)
            width = _number(data, at + 8, 2) * ((bits + 7) // 8)
            frames = _number(data, at + 10, 4)
            if size > 18 and bytes(data[at + 26 : at + 30]) not in (b"NONE", b"sowt", b"twos"):
                frames = None  # compressed: its frames say nothing of its bytes
        if name == body:
            there = len(data) - at - 8
            declared = _known(size, there)
            if declared is not None and frames is not None and body == b"SSND":
                declared = max(declared, before + frames * width)
            return Payload(at + 8, declared, there, (at + 4, 4, "big"), outer_is_right)
        at += 8 + size + size % 2
    return None


def _wave64(data: Data) -> Payload | None:
    at = 40
    while at + 24 <= len(data):
        size = _number(data, at + 16, 8, "little")
        if bytes(data[at : at + 4]) == b"data":
            there = len(data) - at - 24
            return Payload(at + 24, _known(max(0, size - 24), there, 64), there)
        if size < 24:
            return None
        at += (size + 7) // 8 * 8
    return None


def _caf(data: Data) -> Payload | None:
    at = 8
    while at + 12 <= len(data):
        size = _number(data, at + 4, 8)
        if bytes(data[at : at + 4]) == b"data":
            there = len(data) - at - 12
            return Payload(at + 12, _known(size, there, 64), there, (at + 4, 8, "big"))
        at += 12 + size
    return None


def _au(data: Data, order: str) -> Payload | None:
    start = _number(data, 4, 4, order)
    there = len(data) - start
    if there < 0:
        return None
    return Payload(start, _known(_number(data, 8, 4, order), there), there, (8, 4, order))


def _nist(data: Data) -> Payload | None:
    text = bytes(data[:4096]).decode("latin-1")
    found = {
        name: int(value)
        for name, value in re.findall(
            r"^(sample_count|sample_n_bytes|channel_count) -i (\d{1,12})", text, re.MULTILINE
        )
    }
    size = re.match(r"NIST_1A\s+(\d{1,6})", text)
    if "sample_count" not in found or size is None or "shorten" in text:
        return None
    start = int(size[1])
    width = found.get("sample_n_bytes", 1) * found.get("channel_count", 1)
    there = max(0, len(data) - start)
    return Payload(start, found["sample_count"] * width or None, there)


def _voc(data: Data) -> Payload | None:
    """Blocks one after the other; the file is cut off where one reaches beyond its end."""
    start = at = _number(data, 20, 2, "little")
    while at + 4 <= len(data) and data[at]:
        at += 4 + _number(data, at + 1, 3, "little")
    return Payload(start, max(at - start, 0), max(len(data) - start, 0))
