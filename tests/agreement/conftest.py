"""A small listening test: three items, three conditions, damage that listeners hear."""

from __future__ import annotations

from pathlib import Path

import pytest
from metric_signals import noise, voice

from sqbench import audio

LOUDNESS = {"good": 0.001, "fair": 0.01, "bad": 0.1}
SCORES = {"good": 90, "fair": 50, "bad": 10, "Reference": 100}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table in our own layout, its audio beside it."""
    lines = ["signal,condition,estimate,reference,listener,score,rate"]
    for item in range(3):
        clean = voice(1.2 + 0.1 * item)
        audio.write(tmp_path / f"audio/{item}/ref.wav", clean, 16_000)
        for i, (condition, level) in enumerate(LOUDNESS.items()):
            estimate = clean + level * noise(clean.shape[0], 10 * item + i)
            audio.write(tmp_path / f"audio/{item}/{condition}.wav", estimate, 16_000)
        for condition, mean in SCORES.items():
            file = "ref" if condition == "Reference" else condition
            rate = "16k" if condition == "good" else "24k"
            for listener, spread in enumerate((-3, 0, 3)):
                lines.append(
                    f"item{item},{condition},audio/{item}/{file}.wav,audio/{item}/ref.wav,"
                    f"{listener},{mean + spread},{rate}"
                )
        lines.append(f"item{item},Anchor,audio/,audio/{item}/ref.wav,0,5,24k")
    path = tmp_path / "ratings.csv"
    path.write_text("\n".join(lines) + "\n")
    return path
