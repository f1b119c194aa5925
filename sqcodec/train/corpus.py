"""Training audio: folders of files, decoded once to int16, cropped at random.

A crop depends on the seed and the step alone, so the sampler has no state to save: a resumed run
draws what the uninterrupted one would have drawn.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqcodec.errors import InputError
from sqcodec.train.manifest import read_manifest

logger = logging.getLogger(__name__)

EXTENSIONS = {".wav", ".flac", ".ogg", ".opus", ".mp3"}
VALIDATION_SHARE = 0.05


@dataclass(frozen=True)
class Clip:
    """Where a file's samples lie in the corpus."""

    path: str
    domain: str
    group: str
    start: int
    length: int


class Corpus:
    """All audio under ``root``, mono, at one rate, in one int16 array.

    The first folder level under ``root`` names the domain. A ``manifest.csv`` there with columns
    ``path`` and ``group`` names what must not be on both sides of the split (speaker, track);
    without one every file is its own group. Hidden files and folders are left out.

    Attributes:
        sha256: over names and bytes of the usable files and of the manifest.
        sources: data sets and licences as the manifest states them.
        skipped: why files are not used.

    Args:
        root: folder of audio files.
        sample_rate: in Hz, of the codec to train.
        cache: folder for the decoded audio; made if missing.

    Raises:
        InputError: no usable audio under ``root``, or a manifest that cannot be read.
    """

    def __init__(self, root: Path, sample_rate: int, cache: Path) -> None:
        if not root.is_dir():
            raise InputError(str(root), expected="a folder of audio files", found="no such folder")
        self.root, self.sample_rate = root, sample_rate
        self.name = root.resolve().name
        files = sorted(p for p in root.rglob("*") if p.suffix.lower() in EXTENSIONS)
        files = [p for p in files if p.is_file() and not _hidden(p.relative_to(root))]
        manifest = read_manifest(root)
        listing = [
            [p.relative_to(root).as_posix(), p.stat().st_size, p.stat().st_mtime_ns] for p in files
        ]
        key = hashlib.sha256(json.dumps(listing).encode()).hexdigest()
        cache.mkdir(parents=True, exist_ok=True)
        stem = cache / f"{key[:16]}-{sample_rate}"
        index = stem.with_suffix(".json")
        if not index.is_file():
            self._decode(files, stem)
        entries = json.loads(index.read_text())
        self.skipped: list[str] = entries["skipped"]
        # Groups are not in the cache, so that an edited manifest takes effect.
        self.clips = [
            Clip(**entry, group=manifest.group(entry["path"])) for entry in entries["clips"]
        ]
        self.sha256 = hashlib.sha256((entries["sha256"] + manifest.sha256).encode()).hexdigest()
        self.sources = manifest.sources((c.path, c.length / sample_rate) for c in self.clips)
        if not self.clips:
            raise InputError(
                str(root),
                expected=f"audio files ({', '.join(sorted(EXTENSIONS))})",
                found=f"{len(files)} such files, none usable",
            )
        self.samples: NDArray[np.int16] = np.load(stem.with_suffix(".npy"), mmap_mode="r")

    @property
    def hours(self) -> float:
        return sum(clip.length for clip in self.clips) / self.sample_rate / 3600.0

    def describe(self) -> dict[str, Any]:
        """What a run's record keeps of the data; nothing in it tells where the folder is."""
        return {
            "root": self.name,
            "files_sha256": self.sha256,
            "hours": round(self.hours, 3),
            "sources": self.sources,
        }

    def _decode(self, files: list[Path], stem: Path) -> None:
        digest = hashlib.sha256()
        parts: list[NDArray[np.int16]] = []
        clips: list[dict[str, object]] = []
        skipped: list[str] = []
        start = 0
        for file in files:
            name = file.relative_to(self.root).as_posix()
            try:
                content = file.read_bytes()
                samples = _read(content, name, self.sample_rate)
            except OSError as error:
                logger.warning("skipped: %s", error)
                skipped.append(f"{name}: {error.strerror}")
                continue
            except InputError as error:
                logger.warning("skipped: %s", error)
                skipped.append(str(error))
                continue
            parts.append(samples)
            digest.update(_hash(name).encode() + hashlib.sha256(content).digest())
            domain = name.split("/")[0] if "/" in name else self.name
            clips.append(
                {
                    "path": name,
                    "domain": domain,
                    "start": start,
                    "length": len(samples),
                }
            )
            start += len(samples)
        # Written aside and renamed, so that an interrupted decode leaves no half cache.
        partial = stem.with_suffix(f".{os.getpid()}.npy")
        np.save(partial, np.concatenate(parts) if parts else np.zeros(0, np.int16))
        partial.replace(stem.with_suffix(".npy"))
        index = stem.with_suffix(f".{os.getpid()}.json")
        index.write_text(
            json.dumps({"clips": clips, "skipped": skipped, "sha256": digest.hexdigest()})
        )
        index.replace(stem.with_suffix(".json"))

    def split(self) -> tuple[list[Clip], list[Clip]]:
        """Training and validation clips.

        Whole groups are held out, in an order fixed by a hash of their names, until they make up
        `VALIDATION_SHARE` of their domain; a domain of a single group is all training.
        """
        train: list[Clip] = []
        held_out: list[Clip] = []
        for domain in sorted({clip.domain for clip in self.clips}):
            members = [clip for clip in self.clips if clip.domain == domain]
            groups = sorted({clip.group for clip in members}, key=_hash)
            wanted = VALIDATION_SHARE * sum(clip.length for clip in members)
            chosen: set[str] = set()
            taken = 0
            for group in groups[:-1]:
                if taken >= wanted:
                    break
                chosen.add(group)
                taken += sum(clip.length for clip in members if clip.group == group)
            train += [clip for clip in members if clip.group not in chosen]
            held_out += [clip for clip in members if clip.group in chosen]
        return train, held_out

    def audio(self, clip: Clip) -> NDArray[np.float32]:
        """The whole clip, ``[T]``."""
        view = self.samples[clip.start : clip.start + clip.length]
        return view.astype(np.float32) / np.float32(32768.0)


class Sampler:
    """Random crops with the augmentations of the recipe.

    Args:
        corpus, clips: what to draw from.
        length: samples a crop.
        weights: relative weight by domain; empty for equal weights.
    """

    def __init__(
        self,
        corpus: Corpus,
        clips: list[Clip],
        *,
        length: int,
        weights: Mapping[str, float],
        seed: int,
        gain_db: float,
        mix_probability: float,
        normalise: bool,
    ) -> None:
        self.corpus, self.length, self.seed = corpus, length, seed
        self.gain_db, self.mix_probability, self.normalise = gain_db, mix_probability, normalise
        found = sorted({clip.domain for clip in clips})
        if unknown := set(weights) - set(found):
            raise InputError(
                f"domains {', '.join(sorted(unknown))}",
                expected=f"folders of {corpus.root} that hold audio: {', '.join(found)}",
                found="none",
            )
        self._domains = [name for name in found if (weights or dict.fromkeys(found, 1)).get(name)]
        share = np.array([weights.get(name, 1.0) for name in self._domains], float)
        self._share = share / share.sum()
        self._clips = {name: [c for c in clips if c.domain == name] for name in self._domains}
        self._odds = {}
        for name, members in self._clips.items():
            seconds = np.array([clip.length for clip in members], float)
            self._odds[name] = seconds / seconds.sum()

    def batch(self, step: int, size: int) -> NDArray[np.float32]:
        """The crops of a step, ``[size, length]``."""
        rng = np.random.default_rng([self.seed, step])
        return np.stack([self._item(rng) for _ in range(size)])

    def _item(self, rng: np.random.Generator) -> NDArray[np.float32]:
        crop = self._crop(rng)
        if rng.random() < self.mix_probability:
            crop = crop + self._crop(rng) * np.float32(10 ** (rng.uniform(-15.0, 0.0) / 20))
        crop *= np.float32(rng.choice([-1.0, 1.0]))
        crop *= np.float32(10 ** (rng.uniform(self.gain_db, 0.0) / 20))
        return np.clip(crop, -1.0, 1.0)

    def _crop(self, rng: np.random.Generator) -> NDArray[np.float32]:
        name = self._domains[rng.choice(len(self._domains), p=self._share)]
        members = self._clips[name]
        clip = members[rng.choice(len(members), p=self._odds[name])]
        out = np.zeros(self.length, np.float32)
        start = int(rng.integers(0, max(1, clip.length - self.length + 1)))
        taken = self.corpus.samples[
            clip.start + start : clip.start + min(start + self.length, clip.length)
        ]
        out[: len(taken)] = taken.astype(np.float32) / np.float32(32768.0)
        return level(out) if self.normalise else out


def level(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The recipe's level: the mean of the loudest 0.1 % of samples is brought to 0.75.

    Near-silent crops keep their level: raising them would teach the codec noise.
    """
    count = max(1, len(x) // 1000)
    loudest = float(np.partition(np.abs(x), -count)[-count:].mean())
    return x if loudest < 0.01 else x * np.float32(0.75 / loudest)


def _hash(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()


def _hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)


def _read(content: bytes, name: str, sample_rate: int) -> NDArray[np.int16]:
    import soundfile
    import soxr

    try:
        samples, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
        mono = samples[:, 0]
        if not len(mono) or not np.isfinite(mono).all():
            raise InputError(name, expected="finite samples", found="none or NaN")
        if rate != sample_rate:
            mono = soxr.resample(mono, rate, sample_rate, quality="VHQ")
    except InputError:
        raise
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:
        why = error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)
        raise InputError(name, expected="audio that libsndfile reads", found=why) from None
    if float(np.abs(mono).max(initial=0.0)) < 1e-4:
        raise InputError(name, expected="sound", found="silence")
    return np.asarray(np.clip(mono, -1.0, 1.0) * 32767.0, np.int16)
