"""The pairs that `benchmarks/metrics.py` scores: clean speech, and four kinds of damage to it.

From LibriSpeech below ``SQBENCH_SHARED`` (by default ``../shared`` beside the repository), or
synthetic where there is none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sqbench import audio

SHARED = Path(os.environ.get("SQBENCH_SHARED", Path(__file__).resolve().parents[2] / "shared"))
RATE = 16_000

Samples = NDArray[np.float64]


def clips(count: int, length: int) -> tuple[Iterator[Samples], str]:
    """Reference clips, and what they are."""
    files = sorted((SHARED / "data/eval/LibriSpeech").rglob("*.flac"))
    if files:
        speech = np.concatenate([audio.first_channel(audio.read(path)[0]) for path in files])
        if speech.shape[0] >= count * length:
            return (speech[i * length :][:length] for i in range(count)), "LibriSpeech"
    return (synthetic(i, length) for i in range(count)), "synthetic speech"


def synthetic(seed: int, length: int) -> Samples:
    """A buzz through moving formants, with syllables and pauses."""
    rng = np.random.default_rng(seed)
    t = np.arange(length) / RATE
    pitch = 90 + 10 * seed % 120
    phase = 2 * np.pi * (pitch * t + 5 * np.sin(2 * np.pi * rng.uniform(0.4, 0.9) * t))
    out = 0.002 * rng.standard_normal(length)
    centres = (500 + 250 * np.sin(8 * t + seed), 1500 + 500 * np.sin(5 * t), 2600 + 0 * t)
    for k in range(1, int(6000 / pitch)):
        gain = sum(1 / (1 + ((k * pitch - centre) / 180) ** 2) for centre in centres)
        out += 0.05 * gain * np.sin(k * phase + k * k)
    syllables = np.clip(np.sin(2 * np.pi * 2.3 * t) + 0.6, 0, None)
    return np.asarray(out * syllables * (np.mod(t, 2.1) < 1.8))


def damage(clean: Samples, kind: int) -> Samples:
    """Noise at 20 dB, a low-pass with a delay, six bits, or soft clipping."""
    if kind == 0:
        noise = np.random.default_rng(1).standard_normal(clean.shape[0])
        return np.asarray(clean + 0.1 * np.std(clean) * noise)
    if kind == 1:
        return np.convolve(clean, np.hanning(11) / np.hanning(11).sum())[: clean.shape[0]]
    if kind == 2:
        peak = np.abs(clean).max()
        return np.asarray(np.round(clean / peak * 32) / 32 * peak)
    return np.asarray(np.tanh(8 * clean) / 8)


def make_pairs(folder: Path, count: int, seconds: float) -> str:
    """Write ``folder/ref`` and ``folder/est`` as 16-bit WAV; returns what the audio is."""
    import soundfile

    length = int(seconds * RATE)
    references, name = clips(count, length)
    for i, clean in enumerate(references):
        for side, samples in (("ref", clean), ("est", damage(clean, i % 4))):
            path = folder / side / f"clip{i:03}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, np.clip(samples, -1, 1), RATE, subtype="PCM_16")
    return name
