"""A network small enough to train in a test, audio to train it on, and a run of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import audio_fixtures
import numpy as np

from sqcodec.config import SQCodecConfig
from sqcodec.train.cadence import Cadence
from sqcodec.train.data.corpus import Corpus
from sqcodec.train.loop import Trainer
from sqcodec.train.recipes.recipe import Recipe, load_recipe

TINY = SQCodecConfig(
    name="tiny",
    sample_rate=16000,
    feature_dim=256,
    encoder_rates=(8, 5),
    encoder_dims=(8, 16, 24),
    encoder_depths=(1, 1, 1),
    decoder_rates=(8, 5),
    decoder_dims=(24, 16, 8),
    decoder_depths=(1, 1),
    transformer_depth=1,
    compress_depth=0,
    window=40,
    compress_rate=1,
    levels=(7, 7, 7, 7, 7, 7),
)
SMALL_ADVERSARY = {
    "adversary.enabled": True,
    "adversary.every": 2,
    "adversary.periods": [2, 3],
    "adversary.windows": [126],
    "adversary.width": 0.05,
}
"""Recipe changes for a discriminator as small as the network."""


def speech_and_music(folder: Path) -> Path:
    """Four clips of two speakers, two of music at another rate, a silent one and a broken one."""
    for i in range(4):
        audio_fixtures.write_wav(folder / f"speech/s{i}.wav", audio_fixtures.babble(1.0, seed=i))
    for i in range(2):
        tone = 0.3 * np.sin(np.arange(24000) * (0.05 + 0.02 * i))
        audio_fixtures.write_wav(folder / f"music/m{i}.wav", tone, 24000)
    audio_fixtures.write_wav(folder / "speech/silent.wav", np.zeros(16000))
    (folder / "speech/broken.wav").write_text("not audio")
    rows = ["path,group"] + [f"speech/s{i}.wav,speaker{i % 2}" for i in range(4)]
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder


def recipe(**changes: Any) -> Recipe:
    """The recipe for CPUs, short; ``changes`` have ``__`` for the dot of a key."""
    base = {"max_steps": 6, "batch_size": 2, "quantizer.bypass_steps": 2, "ema": 0.0,
            "precision": "float32"}  # fmt: skip
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    return load_recipe(["cpu"], "tiny").apply({**base, **dotted}, "test")


def trainer(
    root: Path, out: Path, *, every: int = 1, evaluate_every: int = 0, **changes: Any
) -> Trainer:
    """A run of the tiny network; see `recipe` for ``changes``."""
    corpus = Corpus([root], TINY.sample_rate, out / "cache")
    cadence = Cadence(every=every, evaluate_every=evaluate_every)
    return Trainer(TINY, recipe(**changes), corpus, out, cadence=cadence)
