"""Mixed-radix packing: exact sizes, round trips, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sqbench.bitstream.packing import pack, packed_size, unpack

SIZES = [(117649,), (250047,), (256,), (2**32,), (1024,) * 12, (7, 9, 2, 1), (3,)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("frames", [1, 2, 85, 500])
def test_round_trip_at_the_size_that_information_needs(sizes: tuple[int, ...], frames: int) -> None:
    rng = np.random.default_rng(frames)
    codes = np.stack([rng.integers(0, size, frames) for size in sizes])
    codes[:, -1] = np.array(sizes) - 1
    data = pack(codes, sizes)
    bits = frames * sum(map(math.log2, sizes))
    assert bits - 1e-6 <= 8 * len(data) < bits + 8 + 1e-6
    np.testing.assert_array_equal(unpack(data, sizes, frames), codes)


def test_largest_codes_fill_the_number() -> None:
    codes = np.full((1, 40), 116)
    assert len(pack(codes, (117,))) == packed_size((117,), 40) == math.ceil(40 * math.log2(117) / 8)


@pytest.mark.parametrize("bad", [-1, 5])
def test_codes_out_of_range_are_refused(bad: int) -> None:
    with pytest.raises(ValueError, match="out of its codebook's range"):
        pack(np.array([[0, bad, 1]]), (5,))


def test_codes_of_another_number_of_codebooks_are_refused() -> None:
    with pytest.raises(ValueError, match="2 codebooks, expected 1"):
        pack(np.zeros((2, 3), np.int64), (5,))


def test_numbers_beyond_the_last_code_are_refused() -> None:
    with pytest.raises(ValueError, match="beyond"):
        unpack(b"\xff", (5, 5), 1)
    with pytest.raises(ValueError, match="2 bytes"):
        unpack(b"\xff\x00", (5, 5), 1)
