"""Decoding: what is read of a file, and what is wrong with one that is not."""

from __future__ import annotations

import io
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqcodec.audiofile import stderr
from sqcodec.audiofile.chunked import Data
from sqcodec.audiofile.damage import Examination, examine
from sqcodec.audiofile.errors import AudioError, Kind
from sqcodec.audiofile.formats import FOREIGN
from sqcodec.audiofile.opening import opened, shown

logger = logging.getLogger(__name__)

_BLOCK = 1 << 20  # samples read at once
_ROUNDING_S = 0.1
"""Seconds by which a decoder's forecast of a length, or a manifest's ``duration``, may be off."""
LOUDEST = 32.0
"""Peak of floating-point audio, at full scale 1, beyond which it is at another scale: +30 dB."""
_LOSSY = ("OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")
_LEAD_S = 2

_examined: dict[tuple[str, int, int, int], Examination] = {}
"""Of files that many stretches are read of: a recording is not examined for each of its clips."""


def read(
    source: Path | bytes, *, name: str = "", start: float = 0.0, duration: float | None = None
) -> tuple[NDArray[np.float64], int]:
    """Read a file, or a stretch of it.

    Args:
        source: a path, or the encoded bytes.
        name: how to call it in an error (defaults to the path).
        start: where to begin, in seconds; what lies before is not decoded where the format allows.
        duration: how many seconds; to the end of the file where it is ``None``. A duration without
            a start that is the file's own, as far as its rounding tells, means the whole file.

    Returns:
        Samples ``[T]`` or ``[T, C]`` in float64, integer PCM scaled to full scale 1, and the
        sample rate in Hz.

    Raises:
        AudioError: missing, unreadable, cut off, damaged, empty, holding NaN or infinity, at
            another scale, or shorter than the stretch.
    """
    import soundfile

    label = name or (shown(source) if isinstance(source, Path) else "audio bytes")
    with opened(source, label) as (data, descriptor):
        found = _examine(source, data, whole=start == 0.0 and duration is None)
        if found.damage:
            kind: Kind = "cut off" if found.damage.startswith("cut off") else "damaged"
            raise AudioError(
                label,
                kind=kind,
                expected="a whole file",
                found=f"one that is {found.damage}",
                remedy="Fetch or copy it again.",
            )
        # By its descriptor: of a path, libsndfile takes the extension's word where a header is
        # missing, and reads noise.
        handle: int | io.BytesIO
        if found.mended is None and descriptor is not None:
            handle = descriptor
        else:
            handle = _Memory(found.mended or data)
        try:
            samples, rate, subtype = _decode(handle, label, found, start, duration)
        except (soundfile.LibsndfileError, ValueError, RuntimeError, TypeError) as error:
            if isinstance(error, AudioError):
                raise
            why = error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)
            raise _undecodable(label, why.strip().rstrip("."), found, len(data)) from None
        except MemoryError:
            raise AudioError(
                label,
                kind="unreadable",
                expected="audio that fits into memory",
                found=f"more than that in {len(data)} bytes",
                remedy="Cut it into shorter files.",
            ) from None
    _check(samples, subtype, label)
    return samples, rate


class _Memory(io.BytesIO):
    """Bytes for libsndfile's callbacks, in which an exception would be shown as a traceback."""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):  # where a damaged header sends it
            return self.tell()


def _check(samples: NDArray[np.float64], subtype: str, label: str) -> None:
    if samples.shape[0] == 0:
        raise AudioError(
            label,
            kind="empty",
            expected="at least one sample",
            found="none",
            remedy="Replace the file.",
        )
    bad = int(samples.size - np.count_nonzero(np.isfinite(samples)))
    if bad:
        raise AudioError(
            label,
            kind="non-finite",
            expected="finite samples",
            found=f"{bad} of {samples.size} NaN or infinite",
            remedy="Replace the file.",
        )
    if subtype in ("FLOAT", "DOUBLE"):
        peak = float(np.abs(samples).max())
        if peak > LOUDEST:
            raise AudioError(
                label,
                kind="scale",
                expected="floating-point samples with full scale at 1",
                found=f"a peak of {peak:.6g}, as of integers",
                remedy="Divide by the full scale (32768 for 16 bits), or write integer PCM.",
            )


def _undecodable(label: str, why: str, found: Examination, size: int) -> AudioError:
    if found.known:
        return AudioError(
            label,
            kind="damaged",
            expected="a whole file",
            found=f"one that is damaged: {why}",
            remedy="Fetch or copy it again.",
        )
    foreign = label.lower().endswith(FOREIGN)
    return AudioError(
        label,
        kind="unreadable",
        expected="audio that libsndfile reads (WAV, FLAC, Ogg, MP3, AIFF and others)",
        found=f"{size} bytes that it does not ({why})",
        remedy=("" if foreign else "Replace the file or ") + "convert it to WAV or FLAC.",
    )


def _examine(source: Path | bytes, data: Data, *, whole: bool) -> Examination:
    if whole or not isinstance(source, Path):
        return examine(data)
    about = source.stat()
    key = (os.fspath(source), about.st_size, about.st_mtime_ns, about.st_ino)
    if key not in _examined:
        found = examine(data)
        if found.mended is not None:
            return found  # as large as the file itself: not to be kept
        if len(_examined) > 1024:
            _examined.clear()
        _examined[key] = found
    return _examined[key]


def _decode(
    handle: int | io.BytesIO,
    label: str,
    found: Examination,
    start: float,
    duration: float | None,
) -> tuple[NDArray[np.float64], int, str]:
    if found.known and not found.mpeg:  # what is not recognised may be MPEG audio all the same
        return _samples(handle, label, start, duration)
    noise: list[str] = []
    try:
        with stderr.taken() as noise:
            result = _samples(handle, label, start, duration)
    finally:
        for line in noise:
            # After a jump into the middle the first frame always misses what came before it.
            grave = "error:" in line and start == 0.0
            logger.log(logging.WARNING if grave else logging.DEBUG, "%s: %s", label, line)
    return result


def _samples(
    handle: int | io.BytesIO, label: str, start: float, duration: float | None
) -> tuple[NDArray[np.float64], int, str]:
    """The samples, in blocks: a header's length may be damaged (anything)."""
    import soundfile

    with soundfile.SoundFile(handle, closefd=False) as file:
        rate = int(file.samplerate)
        known = file.frames if file.frames < 1 << 62 else None
        first, wanted = _stretch(label, start, duration, rate, known)
        if file.seekable():
            # What a lossy decoder gives depends on what it heard before.
            before = min(first, rate * _LEAD_S) if file.subtype in _LOSSY else 0
            if first:
                file.seek(first - before)
            _skip(file, before)
        else:
            _skip(file, first)
        blocks = []
        left = wanted
        while left is None or left > 0:
            count = _BLOCK if left is None else min(left, _BLOCK)
            block = file.read(count, dtype="float64")
            if not len(block):
                break
            blocks.append(block)
            left = None if left is None else left - len(block)
        shape = (0,) if file.channels == 1 else (0, file.channels)
        samples = np.concatenate(blocks) if blocks else np.zeros(shape)
        expected = wanted if wanted is not None else known - first if known is not None else None
        if expected is not None and len(samples) < expected - _ROUNDING_S * rate:
            raise AudioError(
                label,
                kind="cut off",
                expected=f"{expected / rate:.3f} s of audio, as the file declares",
                found=f"cut off: {len(samples) / rate:.3f} s",
                remedy="Fetch or copy it again.",
            )
        return samples, rate, str(file.subtype)


def _stretch(
    label: str, start: float, duration: float | None, rate: int, known: int | None
) -> tuple[int, int | None]:
    """First sample and number of samples (``None``: all that follow) of a stretch in seconds."""
    first = round(start * rate)
    if known is None:
        return first, None if duration is None else max(1, round(duration * rate))
    if first >= known > 0 and first:
        raise AudioError(
            label,
            kind="cut off",
            expected=f"a start within its {known / rate:.3f} s",
            found=f"{start:g} s",
            remedy="Starts are in seconds.",
        )
    if duration is None:
        return first, None
    wanted = max(1, round(duration * rate))
    if first == 0 and _is_rounded(duration, known / rate, rate):
        return 0, None
    if first + wanted > known:
        if first + wanted > known + _ROUNDING_S * rate:
            raise AudioError(
                label,
                kind="cut off",
                expected=f"{start + duration:g} s of audio",
                found=f"{known / rate:.3f} s: cut off, or another file than was meant",
                remedy="Durations are in seconds.",
            )
        wanted = known - first
    return first, wanted


def _is_rounded(stated: float, true: float, rate: int) -> bool:
    """Whether ``stated`` is ``true`` written with fewer digits, rounded or cut."""
    digits = len(repr(stated).partition(".")[2]) if "e" not in repr(stated) else 6
    return abs(stated - true) <= max(10.0**-digits if digits > 1 else 0.05, 1.5 / rate)


def _skip(file: Any, count: int) -> None:
    while count > 0:
        block = file.read(min(count, _BLOCK), dtype="float64")
        if not len(block):
            break
        count -= len(block)


def is_length_of(source: Path, duration: float) -> bool:
    """Whether a duration in seconds is the file's own, as far as its rounding tells.

    False also where the file's header does not tell its length, or cannot be read.
    """
    import soundfile

    try:
        about = soundfile.info(os.fspath(source))
    except (soundfile.LibsndfileError, OSError, RuntimeError, ValueError, TypeError):
        return False
    return _is_rounded(duration, about.frames / about.samplerate, about.samplerate)


def length_of(source: Path | bytes) -> float | None:
    """Seconds of audio by a file's header, which is all that is read; ``None`` if it tells none."""
    import soundfile

    file = io.BytesIO(source) if isinstance(source, bytes) else os.fspath(source)
    try:
        about = soundfile.info(file)
    except (soundfile.LibsndfileError, OSError, RuntimeError, ValueError, TypeError):
        return None
    return float(about.frames / about.samplerate) if about.samplerate else None
