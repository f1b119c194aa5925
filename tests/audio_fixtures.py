"""Small signals and helpers that several test modules share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray


def babble(seconds: float, rate: int = 16000, seed: int = 0) -> NDArray[np.float64]:
    """Something like speech: harmonics of a moving pitch, in syllables, with noise between."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate)) / rate
    pitch = 120 + 40 * np.sin(2 * np.pi * 0.7 * t + rng.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = sum(np.sin(k * phase + rng.uniform(0, 6)) / k for k in range(1, 18))
    envelope = np.clip(np.sin(2 * np.pi * 2.6 * t + rng.uniform(0, 6)), 0, 1) ** 0.5
    out = 0.15 * envelope * voice + 0.004 * rng.standard_normal(len(t))
    return np.asarray(np.clip(out, -0.99, 0.99))


def write_wav(
    path: Path, samples: NDArray[np.float64], rate: int = 16000, subtype: str = "PCM_16"
) -> Path:
    """Write a WAV file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(path), samples, rate, subtype=subtype)
    return path


def slt_folder(root: Path, clips: int = 3, seconds: float = 1.2) -> Path:
    """A tiny official layout: one speech set and one audio set."""
    for i in range(clips):
        write_wav(root / "samples/librispeech" / f"s{i}.wav", babble(seconds + 0.1 * i, seed=i))
        noise = np.random.default_rng(i).standard_normal(int(22050 * seconds)) * 0.1
        write_wav(root / "samples/esc50" / f"e{i}.wav", noise, 22050)
    return root
