"""The only reader, writer and resampler of audio.

Reading is `sqcodec.audiofile`, which the trainer shares. Policies, each stated once, here:

* samples are floats with full scale at 1.0; integer PCM is scaled, float files are not clipped;
* nothing is normalised, aligned or mixed;
* multichannel audio is scored and coded by its first channel (the protocol scores channel 0);
* the resampler is soxr at its high-quality setting, in float64, with ``ceil(n * to / from)``
  samples out (what librosa's default does, bit for bit).
"""

from __future__ import annotations

import io
import os
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sqbench.errors import InputError
from sqcodec.audiofile import (
    EXTENSIONS,
    FOREIGN,
    SHARED,
    AudioError,
    Kind,
    describe_os_error,
    is_audio,
    is_length_of,
    length_of,
    read,
    remarks,
)

__all__ = [
    "EXTENSIONS",
    "FOREIGN",
    "RESAMPLER",
    "SHARED",
    "AudioError",
    "Kind",
    "describe_os_error",
    "first_channel",
    "flac16",
    "is_audio",
    "is_length_of",
    "length_of",
    "read",
    "remarks",
    "resample",
    "write",
    "write_as",
    "write_pcm16",
    "written_format",
]

RESAMPLER = "soxr-hq"


def first_channel(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """The channel that is coded and scored: ``[T]`` of ``[T]`` or ``[T, C]``."""
    return samples if samples.ndim == 1 else np.ascontiguousarray(samples[:, 0])


def resample(samples: NDArray[np.float64], rate: int, to_rate: int) -> NDArray[np.float64]:
    """Resample along time, ``[T]`` or ``[T, C]``, to ``ceil(T * to_rate / rate)`` samples."""
    if rate == to_rate:
        return samples
    import soxr

    length = int(np.ceil(samples.shape[0] * (to_rate / rate)))
    out = soxr.resample(samples, rate, to_rate, quality="HQ")
    if out.shape[0] > length:
        return np.asarray(out[:length])
    pad = [(0, length - out.shape[0])] + [(0, 0)] * (samples.ndim - 1)
    return np.pad(out, pad)


def write(path: Path, samples: NDArray[np.floating], rate: int) -> None:
    """Write mono or ``[T, C]`` samples as a 32-bit float WAV: no rounding, no clipping.

    Raises:
        InputError: it cannot be written; no part of a file is left.
    """
    _write(path, samples, rate, "FLOAT")


def flac16(samples: NDArray[np.floating], rate: int) -> bytes:
    """A FLAC file of what `write_pcm16` writes, sample for sample, for a browser to decode."""
    import soundfile

    stream = io.BytesIO()
    whole, _ = _pcm16(samples)
    soundfile.write(stream, whole, rate, format="FLAC", subtype="PCM_16")
    return stream.getvalue()


def write_pcm16(path: Path, samples: NDArray[np.floating], rate: int) -> int:
    """Write mono or ``[T, C]`` samples as a 16-bit WAV, which every player plays.

    Returns:
        How many samples lay beyond full scale, and are clipped in the file.

    Raises:
        InputError: it cannot be written; no part of a file is left.
    """
    whole, clipped = _pcm16(samples)
    _write(path, whole, rate, "PCM_16")
    return clipped


def _pcm16(samples: NDArray[np.floating]) -> tuple[NDArray[np.int16], int]:
    """Rounded samples, and how many lay beyond full scale."""
    # Rounded here: libsndfile, made to clip, rounds towards minus infinity.
    scaled = np.rint(samples.astype(np.float64) * 32768)
    whole = np.clip(scaled, -32768, 32767).astype(np.int16)
    return whole, int(np.count_nonzero(np.abs(samples) > 1))


WRITTEN = {
    ".wav": ("WAV", "FLOAT"),
    ".flac": ("FLAC", "PCM_24"),
    ".ogg": ("OGG", "VORBIS"),
    ".oga": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
    ".aiff": ("AIFF", "FLOAT"),
    ".aif": ("AIFF", "FLOAT"),
    ".au": ("AU", "FLOAT"),
    ".caf": ("CAF", "FLOAT"),
    ".w64": ("W64", "FLOAT"),
    ".rf64": ("RF64", "FLOAT"),
}
"""Extensions that `write_as` knows, with what libsndfile calls format and encoding."""


def written_format(path: Path) -> tuple[str, str]:
    """The format and encoding that a file's name asks for.

    Raises:
        InputError: it says none that can be written.
    """
    try:
        return WRITTEN[path.suffix.lower()]
    except KeyError:
        raise InputError(
            str(path),
            expected=f"a name that ends in {', '.join(WRITTEN)}",
            found=path.suffix or "no extension",
        ) from None


def write_as(path: Path, samples: NDArray[np.floating], rate: int) -> None:
    """Write mono or ``[T, C]`` samples in the format that the name says.

    Formats without floats clip at full scale; Vorbis, Opus and MP3 are lossy.

    Raises:
        InputError: the name says no format (`written_format`), the format does not have the rate,
            or it cannot be written; no part of a file is left.
    """
    format, subtype = written_format(path)
    _write(path, samples, rate, subtype, format)


_BLOCK = 1 << 16  # libsndfile's Vorbis overflows its stack on long arrays


def _write(
    path: Path, samples: NDArray[np.generic], rate: int, subtype: str, format: str = "WAV"
) -> None:
    import soundfile

    # Not made of the name, which may already be as long as the file system allows.
    partial = path.with_name(f".sqbench-{os.getpid()}-{threading.get_ident()}.part")
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        options = {"format": format, "subtype": subtype}
        with soundfile.SoundFile(str(partial), "w", rate, channels, **options) as file:
            for start in range(0, len(samples), _BLOCK):
                file.write(samples[start : start + _BLOCK])
        partial.replace(path)
    except (OSError, ValueError, soundfile.LibsndfileError) as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise InputError(
            str(path),
            expected=f"to write {format}, {subtype} at {rate} Hz",
            found=str(error).replace(str(partial), path.name),
            remedy="Free disk space, or name another folder or format with --out.",
        ) from error
