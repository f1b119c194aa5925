"""Small audio files for the tests of data sources."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile


def tone(seconds: float = 0.05, rate: int = 16000, frequency: float = 440.0) -> np.ndarray:
    """A sine at half scale, ``[T]``."""
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def put(path: Path, samples: np.ndarray | None = None, rate: int = 16000) -> Path:
    """Write an audio file (a tone unless told), with its folders; the suffix tells the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subtype = "FLOAT" if path.suffix == ".wav" else "PCM_16"
    soundfile.write(str(path), tone(rate=rate) if samples is None else samples, rate, subtype)
    return path


def encoded(frequency: float = 440.0) -> bytes:
    """The bytes of a short FLAC file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(frequency=frequency), 16000, format="FLAC")
    return buffer.getvalue()
