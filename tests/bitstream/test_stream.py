"""The container: streaming, what is refused, and ten thousand damaged files."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest

from sqbench.bitstream import Header, Reader, Writer
from sqbench.bitstream.header import MAX_NAME, MAX_SIZE, layout_of
from sqbench.bitstream.stream import frames_per_block
from sqbench_codecs import Codes
from sqcodec.errors import InputError

SIZES = (117649, 256)


def _header(name: str = "toy", sizes: tuple[int, ...] = SIZES) -> Header:
    return Header(
        codec=name,
        weights=bytes(range(8)),
        layout=layout_of(sizes),
        sample_rate=16000,
        length=48000,
    )


def _codes(frames: int, sizes: tuple[int, ...] = SIZES) -> Codes:
    rng = np.random.default_rng(frames)
    return np.stack([rng.integers(0, size, frames) for size in sizes])


def _written(codes: Codes, sizes: tuple[int, ...] = SIZES, step: int | None = None) -> bytes:
    stream = io.BytesIO()
    writer = Writer(stream, _header(sizes=sizes), sizes)
    for start in range(0, codes.shape[1], step or max(1, codes.shape[1])):
        writer.write(codes[:, start : start + (step or codes.shape[1])])
    writer.close()
    return stream.getvalue()


def _read(data: bytes, sizes: tuple[int, ...] = SIZES) -> Codes:
    blocks = list(Reader(io.BytesIO(data), "a.sqb").blocks(sizes))
    return np.concatenate([np.empty((len(sizes), 0), np.int64), *blocks], axis=1)


@pytest.mark.parametrize("frames", [0, 1, 511, 512, 513, 1600])
def test_codes_come_back_however_they_were_cut(frames: int) -> None:
    codes = _codes(frames)
    whole = _written(codes)
    np.testing.assert_array_equal(_read(whole), codes)
    for step in (1, 7, 1000):
        assert _written(codes, step=step) == whole


def test_blocks_are_read_as_they_are_needed() -> None:
    codes = _codes(2000)
    data = _written(codes)
    stream = io.BytesIO(data)
    blocks = Reader(stream, "a.sqb").blocks(SIZES)
    first = next(blocks)
    assert first.shape == (2, frames_per_block(SIZES))
    assert stream.tell() < len(data) / 3


def test_the_header_is_small_and_comes_back() -> None:
    for name in ("x", "é" * (MAX_NAME // 2), "n" * MAX_NAME):
        header = _header(name)
        data = header.pack()
        assert len(data) <= MAX_SIZE
        assert Header.read(io.BytesIO(data), "a.sqb")[0] == header
    assert len(_header("n" * MAX_NAME).pack()) == MAX_SIZE


@pytest.mark.parametrize("name", ["", "n" * (MAX_NAME + 1)])
def test_a_name_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="codec name"):
        _header(name).pack()


def test_a_codec_without_codes_is_refused() -> None:
    with pytest.raises(InputError, match="without any"):
        Writer(io.BytesIO(), _header(sizes=()), ())


def _flipped(data: bytes) -> bytes:
    return data[:200] + bytes([data[200] ^ 1]) + data[201:]


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda data: b"", "a .sqb file"),
    "another format": (lambda data: b"RIFF" + data[4:], "a .sqb file"),
    "a later version": (lambda data: data[:4] + b"\x02" + data[5:], "format version 1"),
    "half a header": (lambda data: data[:30], "cut off"),
    "a changed header": (lambda data: data[:24] + b"!" + data[25:], "damaged header"),
    "half a block": (lambda data: data[:300], "cut off"),
    "no closing block": (lambda data: data[:-14], "cut off"),
    "one bit": (_flipped, "damaged block after frame 0"),
    "more behind": (lambda data: data + b"\x00", "more bytes"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_clear_error(name: str) -> None:
    change, words = DAMAGE[name]
    with pytest.raises(InputError, match=words) as error:
        _read(change(_written(_codes(1600))))
    assert str(error.value).startswith("a.sqb")


def test_blocks_out_of_order_are_found() -> None:
    data = _written(_codes(1600))
    start, size = len(_header().pack()), 2 + _packed(512) + 4
    first, second = data[start : start + size], data[start + size : start + 2 * size]
    with pytest.raises(InputError, match="damaged block after frame 0"):
        _read(data[:start] + second + first + data[start + 2 * size :])


def _packed(frames: int) -> int:
    from sqbench.bitstream import packed_size

    return packed_size(SIZES, frames)


def test_codes_of_other_codebooks_are_refused() -> None:
    with pytest.raises(InputError, match="codebooks"):
        _read(_written(_codes(10)), (117649, 257))


def _sealed(data: bytearray) -> bytes:
    """``data`` with every checksum right, as far as its structure goes: a forger's work."""
    head = 30 + data[5] if len(data) > 30 else len(data)
    if head + 4 > len(data):
        return bytes(data)
    crc = zlib.crc32(data[:head])
    data[head : head + 4] = struct.pack("<I", crc)
    at = head + 4
    while at + 2 <= len(data):
        (frames,) = struct.unpack_from("<H", data, at)
        size = 2 + (_packed(frames) if 0 < frames <= 512 else 8)
        if at + size + 4 > len(data):
            break
        crc = zlib.crc32(data[at : at + size], crc)
        data[at + size : at + size + 4] = struct.pack("<I", crc)
        at += size + 4
    return bytes(data)


def _mutated(data: bytes, rng: np.random.Generator) -> bytes:
    out = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(0, max(1, len(out))))
        kind = rng.integers(0, 6)
        if kind == 0 and out:
            out[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            out[at : at + 8] = rng.bytes(8)
        elif kind == 2:
            del out[at:]
        elif kind == 3:
            del out[at : at + int(rng.integers(1, 100))]
        elif kind == 4:
            out[at:at] = out[: int(rng.integers(1, 100))]
        else:
            out[at : at + 8] = b"\xff" * 8
    return _sealed(out) if rng.integers(0, 2) else bytes(out)


def _fuzz(number: int) -> None:
    """Every damaged file is read, or refused with one error, in little memory."""
    originals = [_written(_codes(frames)) for frames in (0, 3, 600)]
    rng = np.random.default_rng(0)
    read = 0
    _read(originals[-1])
    tracemalloc.start()
    try:
        for index in range(number):
            data = _mutated(originals[index % 3], rng)
            refused: InputError | None = None
            try:
                codes = _read(data)
            except InputError as error:
                refused = error
            if refused:
                assert refused.what == "a.sqb"
                continue
            assert ((codes >= 0) & (codes < np.array(SIZES)[:, None])).all()
            read += 1
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert 0 < read < number / 2  # forged files whose codes are in range are files


def test_a_thousand_damaged_files() -> None:
    _fuzz(1000)


@pytest.mark.slow
def test_twenty_thousand_damaged_files() -> None:
    _fuzz(20_000)
