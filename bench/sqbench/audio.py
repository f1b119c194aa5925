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
    "encode_flac",
    "first_channel",
    "is_audio",
    "is_length_of",
    "read",
    "remarks",
    "resample",
    "write",
    "write_pcm16",
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


def encode_flac(samples: NDArray[np.floating], rate: int) -> bytes:
    """Mono or ``[T, C]`` samples as the content of a 16-bit FLAC file, clipped at full scale."""
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


def _write(path: Path, samples: NDArray[np.generic], rate: int, subtype: str) -> None:
    import soundfile

    # Not made of the name, which may already be as long as the file system allows.
    partial = path.with_name(f".sqbench-{os.getpid()}-{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(str(partial), samples, rate, format="WAV", subtype=subtype)
        partial.replace(path)
    except (OSError, soundfile.LibsndfileError) as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise InputError(
            str(path),
            expected="to write audio",
            found=str(error),
            remedy="Free disk space or name another folder with --out.",
        ) from error
