"""Audio files to ``.sqb`` files and back, through a codec."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sqbench import audio
from sqbench.bitstream.header import Header, header_of, weights_of
from sqbench.bitstream.stream import Reader, Writer
from sqbench.errors import InputError
from sqbench_codecs import CODECS, Codec, load_codec, num_bits

_RATES = (1000, 768000)
"""Lowest and highest rate of audio in a header that are believed, in Hz."""

_SAMPLES_A_FRAME = 4096
"""Most samples a frame that are believed of a codec that does not state its frame rate."""


@dataclass(frozen=True, kw_only=True)
class WrittenStream:
    """What encoding a file gave.

    Attributes:
        seconds: of audio.
        bits: that the codes carry, as in every record.
        payload_bytes: that they take in the file.
        file_bytes: all of the file.
    """

    seconds: float
    bits: float
    payload_bytes: int
    file_bytes: int


def encode_file(source: Path, target: Path, codec: Codec) -> WrittenStream:
    """Encode the first channel of an audio file.

    Raises:
        InputError: the audio cannot be read, or the file not be written; no part of it is left.
    """
    samples, rate = audio.read(source)
    _check_rate(str(source), rate, len(samples))  # no file that `decode_file` would refuse
    mono = audio.first_channel(samples)
    at_rate = audio.resample(mono, rate, codec.spec.sample_rate or rate)
    if not (_RATES[0] <= rate <= _RATES[1] and len(mono)):
        raise InputError(
            str(source),
            expected=f"audio at {_RATES[0]} to {_RATES[1]} Hz",
            found=f"{len(mono)} samples at {rate} Hz",
        )
    try:
        (codes,) = codec.encode([at_rate.astype(np.float32)])
    except InputError:
        raise
    except Exception as error:  # a codec may be anybody's code
        raise InputError(
            str(source),
            expected=f"audio that {codec.spec.name} encodes",
            found=f"{type(error).__name__}: {error}",
        ) from error
    header = header_of(codec.spec, codec.weights, rate, len(mono))
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as stream:
            writer = Writer(stream, header, codec.spec.codebook_sizes)
            writer.write(codes)
            writer.close()
        size = part.stat().st_size
        part.replace(target)
    except OSError as error:
        raise InputError(
            str(target), expected="a place to write to", found=error.strerror or str(error)
        ) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return WrittenStream(
        seconds=len(mono) / rate,
        bits=num_bits(codes, codec.spec.codebook_sizes),
        payload_bytes=writer.payload_bytes,
        file_bytes=size,
    )


class Decoder:
    """Decodes files, each codec loaded once.

    Args:
        codec: instead of the registry's codec of the name that a file has.
        weights: of the codec; must be those that a file was made with.
    """

    def __init__(
        self, *, codec: str | Codec | None = None, weights: str = "auto", device: str = "cpu"
    ) -> None:
        self.codec, self.weights, self.device = codec, weights, device
        self._loaded: dict[str, Codec] = {}

    def decode(self, source: Path, target: Path) -> float:
        """Decode to a file of the rate and length that was encoded; returns its seconds.

        Raises:
            InputError: the file is no intact ``.sqb`` file, the codec is not known, its weights
                are others than those that encoded, or the target's format cannot be written.
        """
        return _decode(source, target, self._codec)

    def _codec(self, header: Header) -> Codec:
        if isinstance(self.codec, Codec):
            return self.codec
        name = self.codec or header.codec
        if name not in self._loaded:
            self._loaded[name] = _load(header, self.codec, self.weights, self.device)
        return self._loaded[name]


def decode_file(
    source: Path,
    target: Path,
    *,
    codec: str | Codec | None = None,
    weights: str = "auto",
    device: str = "cpu",
) -> float:
    """Decode one file (`Decoder`)."""
    return Decoder(codec=codec, weights=weights, device=device).decode(source, target)


def _decode(source: Path, target: Path, codec_of: Callable[[Header], Codec]) -> float:
    try:
        with open(source, "rb") as stream:
            reader = Reader(stream, str(source))
            header = reader.header
            loaded = codec_of(header)
            _check(header, loaded, str(source))
            blocks = list(reader.blocks(loaded.spec.codebook_sizes))
    except OSError as error:
        raise InputError(
            str(source), expected="a .sqb file", found=error.strerror or str(error)
        ) from None
    empty = np.empty((loaded.spec.num_codebooks, 0), np.int64)
    codes = np.concatenate([empty, *blocks], axis=1)
    _check_length(header, loaded, codes.shape[1], str(source))
    rate = loaded.spec.sample_rate or header.sample_rate
    length = int(np.ceil(header.length * (rate / header.sample_rate)))
    try:
        (decoded,) = loaded.decode([codes], [length])
    except InputError:
        raise
    except Exception as error:  # a codec may be anybody's code, and these codes anybody's
        raise InputError(
            str(source),
            expected=f"codes that {loaded.spec.name} decodes",
            found=f"{type(error).__name__}: {error}",
        ) from error
    decoded_rate = loaded.spec.output_sample_rate or rate
    samples = audio.resample(decoded.astype(np.float64), decoded_rate, header.sample_rate)
    audio.write(target, samples[: header.length].astype(np.float32), header.sample_rate)
    return header.length / header.sample_rate


def _load(header: Header, codec: str | None, weights: str, device: str) -> Codec:
    # A name from a file may be anything, also that of a Python file to run: only the registry's.
    if codec is None and header.codec not in CODECS.names():
        raise InputError(
            f"codec {header.codec!r}",
            expected="a codec of `sqbench codecs`",
            found="none of this name",
            remedy="Install it, or say which one it is with --codec.",
        )
    return load_codec(codec or header.codec, weights=weights, device=device)


def _check(header: Header, codec: Codec, where: str) -> None:
    if codec.spec.name != header.codec:
        raise InputError(where, expected=f"codes of {codec.spec.name}", found=header.codec)
    if weights_of(codec.weights) != header.weights:
        raise InputError(
            where,
            expected=f"codes made with the weights {weights_of(codec.weights).hex()} "
            f"({codec.weights.source})",
            found=f"codes made with {header.weights.hex()}",
            remedy="Name the weights that encoded with --weights.",
        )
    _check_rate(where, header.sample_rate, header.length)


def _check_rate(where: str, rate: int, length: int) -> None:
    low, high = _RATES
    if not (low <= rate <= high and length > 0):
        raise InputError(
            where,
            expected=f"audio at {low} to {high} Hz",
            found=f"{length} samples at {rate} Hz",
        )


def _check_length(header: Header, codec: Codec, frames: int, where: str) -> None:
    """A length that its own codes do not reach would only cost memory."""
    if codec.spec.frame_rate:
        most = (frames + 1) * header.sample_rate / codec.spec.frame_rate
    else:
        most = frames * _SAMPLES_A_FRAME
    if header.length > most:
        raise InputError(
            where, expected=f"codes for {header.length} samples", found=f"{frames} frames"
        )
