"""The only reader, writer and resampler of audio.

Policies, each stated once, here:

* samples are floats with full scale at 1.0; integer PCM is scaled, float files are not clipped;
* nothing is normalised, aligned or mixed;
* multichannel audio is scored and coded by its first channel (the protocol scores channel 0);
* the resampler is soxr at its high-quality setting, in float64, with ``ceil(n * to / from)``
  samples out (what librosa's default does, bit for bit).
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sqcodec.errors import InputError

RESAMPLER = "soxr-hq"
EXTENSIONS = (".wav", ".flac", ".ogg", ".opus", ".mp3")


def read(source: Path | bytes, *, name: str = "") -> tuple[NDArray[np.float64], int]:
    """Read a whole file.

    Args:
        source: a path, or the encoded bytes.
        name: how to call it in an error (defaults to the path).

    Returns:
        Samples ``[T]`` or ``[T, C]`` in float64, and the sample rate in Hz.

    Raises:
        InputError: missing, unreadable, empty, or holding NaN or infinity.
    """
    import soundfile

    label = name or (str(source) if isinstance(source, Path) else "audio bytes")
    if isinstance(source, Path) and not source.is_file():
        raise InputError(label, expected="an audio file", found="no such file")
    size = source.stat().st_size if isinstance(source, Path) else len(source)
    if size == 0:
        raise InputError(
            label, expected="audio", found="an empty file (0 bytes)", remedy="Replace the file."
        )
    try:
        handle = str(source) if isinstance(source, Path) else io.BytesIO(source)
        samples, rate = soundfile.read(handle, dtype="float64", always_2d=False)
    except soundfile.LibsndfileError as error:
        raise InputError(
            label,
            expected=f"audio that libsndfile reads ({', '.join(e[1:] for e in EXTENSIONS)})",
            found=f"{size} bytes that it does not ({error.error_string.rstrip('.')})",
            remedy="Replace the file or convert it to WAV or FLAC.",
        ) from None
    if samples.shape[0] == 0:
        raise InputError(
            label, expected="at least one sample", found="none", remedy="Replace the file."
        )
    bad = int(samples.size - np.count_nonzero(np.isfinite(samples)))
    if bad:
        raise InputError(
            label,
            expected="finite samples",
            found=f"{bad} of {samples.size} NaN or infinite",
            remedy="Replace the file.",
        )
    return samples, int(rate)


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
    """Write mono or ``[T, C]`` samples as a 32-bit float WAV: no rounding, no clipping."""
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(path), samples, rate, format="WAV", subtype="FLOAT")
