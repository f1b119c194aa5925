"""The files that commands of the pages name and that a reader would have: small ones, made up."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import audio_fixtures
import numpy as np
import soundfile

from sqbench.data import mini

BUNDLED = Path(__file__).parents[1] / "sqcodec/bundled/sqcodec-6k.safetensors"

SPEAKERS, STYLES, SOUNDS = ("awb", "kal", "slt"), ("neutral", "fast"), ("siren", "rain", "engine")


def _clips(folder: Path, count: int, seconds: float = 1.5) -> None:
    for i in range(count):
        audio_fixtures.write_wav(folder / f"{i}.wav", audio_fixtures.babble(seconds, seed=i))


def _my_audio(folder: Path) -> None:
    for domain in ("speech", "music", "general"):
        _clips(folder / domain, 4, 3.0)


def _my_data(folder: Path) -> None:
    """Embedded clips with their labels: two of each of three speakers' styles, and of sounds."""
    source = Path(mini.__file__).parent / "mini"
    with (source / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kept, seen = [], Counter[tuple[str, ...]]()
    for row in rows:
        group = (row["speaker"], row["style"], row["event"])
        wanted = row["event"] in SOUNDS or (row["speaker"] in SPEAKERS and row["style"] in STYLES)
        if wanted and seen[group] < 2:
            seen[group] += 1
            kept.append(row)
    for row in kept:
        (folder / row["path"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / row["path"], folder / row["path"])
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(kept)


def _decoded(folder: Path) -> None:
    """``originals/`` with noise."""
    for i in range(3):
        clean = audio_fixtures.babble(1.5, seed=i)
        noise = 0.01 * np.random.default_rng(i).standard_normal(clean.size)
        audio_fixtures.write_wav(folder / f"{i}.wav", clean + noise)


def _ratings(path: Path) -> None:
    """One listener, two items of three conditions; the worse the noise, the lower the score."""
    lines = ["signal,condition,estimate,reference,listener,score"]
    for item in ("item1", "item2"):
        reference = path.parent / f"audio/{item}/ref.wav"
        clean = audio_fixtures.babble(1.5, seed=len(item))
        audio_fixtures.write_wav(reference, clean)
        for score, level in ((80, 0.001), (50, 0.01), (20, 0.1)):
            name = f"audio/{item}/noise{score}.wav"
            noise = level * np.random.default_rng(score).standard_normal(clean.size)
            soundfile.write(path.parent / name, clean + noise, 16000)
            lines.append(f"{item},noise{score},{name},audio/{item}/ref.wav,anna,{score}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _mushra(path: Path) -> None:
    """What webMUSHRA writes, of the audio that `_ratings` makes."""
    _ratings(path.with_name("own.csv"))
    lines = ["session_test_id,trial_id,rating_stimulus,rating_score,rating_time,rating_comment"]
    for item in ("item1", "item2"):
        lines += [f"t,{item},noise{score},{score},3," for score in (80, 50, 20)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _trained(folder: Path) -> None:
    """The bundled weights, as a run leaves them."""
    folder.mkdir(parents=True)
    for suffix in (".safetensors", ".json"):
        (folder / f"model{suffix}").symlink_to(BUNDLED.with_suffix(suffix))


MAKERS: dict[str, Callable[[Path], object]] = {
    "my_audio": _my_audio,
    "my_data": _my_data,
    "originals": lambda folder: _clips(folder, 3),
    "decoded": _decoded,
    "slt_data": lambda folder: audio_fixtures.slt_folder(folder, 2),
    "in.wav": lambda path: audio_fixtures.write_wav(path, audio_fixtures.babble(1.5)),
    "ratings.csv": _ratings,
    "mushra.csv": _mushra,
    "runs/mine": _trained,
    "runs/end": _trained,
}
"""What a name in a command stands for, and what makes it."""


def make(folder: Path, commands: str) -> None:
    """All that the commands name, in ``folder``."""
    for name, maker in MAKERS.items():
        if name in commands and not (folder / name).exists():
            maker(folder / name)
