"""Codes as one number in mixed radix: no code takes more bits than its codebook's size needs.

A codebook of 117649 entries carries 16.84 bits a code. Rounded up to 17 that is one percent too
many; a number whose digits are the codes of a whole block wastes less than eight bits a block.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from sqbench_codecs import Codes


@lru_cache(maxsize=256)
def packed_size(sizes: tuple[int, ...], frames: int) -> int:
    """Bytes that ``frames`` frames take, with one code of each of ``sizes`` in a frame."""
    most: int = math.prod(sizes) ** frames - 1
    return (most.bit_length() + 7) // 8


def pack(codes: Codes, sizes: Sequence[int]) -> bytes:
    """Pack codes ``[num_codebooks, frames]``; the first frame is the least significant.

    Raises:
        ValueError: a code is not below its codebook's size.
    """
    if codes.shape[0] != len(sizes):
        raise ValueError(f"codes of {codes.shape[0]} codebooks, expected {len(sizes)}")
    limits = np.array(sizes, np.int64)[:, None]
    if ((codes < 0) | (codes >= limits)).any():
        raise ValueError("a code is out of its codebook's range")
    frames = codes.shape[1]
    value = 0
    for frame in codes.T[::-1].tolist():
        for code, size in zip(reversed(frame), reversed(sizes), strict=True):
            value = value * size + code
    return value.to_bytes(packed_size(tuple(sizes), frames), "little")


def unpack(data: bytes, sizes: Sequence[int], frames: int) -> Codes:
    """The codes ``[num_codebooks, frames]`` that were packed into ``data``.

    Raises:
        ValueError: these bytes are no such codes.
    """
    if len(data) != packed_size(tuple(sizes), frames):
        raise ValueError(f"{len(data)} bytes for {frames} frames")
    value = int.from_bytes(data, "little")
    codes = np.empty((frames, len(sizes)), np.int64)
    for row in codes:
        for book, size in enumerate(sizes):
            value, row[book] = divmod(value, size)
    if value:
        raise ValueError("a number beyond the last code")
    return np.ascontiguousarray(codes.T)
