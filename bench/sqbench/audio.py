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
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sqbench.errors import InputError

RESAMPLER = "soxr-hq"
_BLOCK = 1 << 20  # samples read at once
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
        samples, rate = _decode(str(source) if isinstance(source, Path) else io.BytesIO(source))
    except (soundfile.LibsndfileError, ValueError, RuntimeError, TypeError) as error:
        why = error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)
        raise InputError(
            label,
            expected=f"audio that libsndfile reads ({', '.join(e[1:] for e in EXTENSIONS)})",
            found=f"{size} bytes that it does not ({why.rstrip('.')})",
            remedy="Replace the file or convert it to WAV or FLAC.",
        ) from None
    except MemoryError:
        raise InputError(
            label,
            expected="audio that fits into memory",
            found=f"more than that in {size} bytes",
            remedy="Cut it into shorter files.",
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
    return samples, rate


def _decode(handle: str | io.BytesIO) -> tuple[NDArray[np.float64], int]:
    """All samples, in blocks: a header's length may be unknown (0) or damaged (anything)."""
    import soundfile

    with soundfile.SoundFile(handle) as file:
        blocks = []
        while True:
            block = file.read(_BLOCK, dtype="float64")
            if not len(block):
                break
            blocks.append(block)
        shape = (0,) if file.channels == 1 else (0, file.channels)
        samples = np.concatenate(blocks) if blocks else np.zeros(shape)
        return samples, int(file.samplerate)


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


def write_pcm16(path: Path, samples: NDArray[np.floating], rate: int) -> int:
    """Write mono or ``[T, C]`` samples as a 16-bit WAV, which every player plays.

    Returns:
        How many samples lay beyond full scale, and are clipped in the file.

    Raises:
        InputError: it cannot be written; no part of a file is left.
    """
    # Rounded here: libsndfile, made to clip, rounds towards minus infinity.
    scaled = np.rint(samples.astype(np.float64) * 32768)
    whole = np.clip(scaled, -32768, 32767)
    _write(path, whole.astype(np.int16), rate, "PCM_16")
    return int(np.count_nonzero(np.abs(samples) > 1))


def _write(path: Path, samples: NDArray[np.generic], rate: int, subtype: str) -> None:
    import soundfile

    partial = path.with_name(f".{path.name}.part")
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
        ) from None
