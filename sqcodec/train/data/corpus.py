"""Training audio, decoded once: mono int16 at the codec's rate, in one file that is mapped.

The operating system keeps in memory what is used of it, so that neither a corpus larger than
memory nor several processes on one machine need a setting.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqcodec import audiofile
from sqcodec.errors import InputError
from sqcodec.train.data.listing import Entry, list_files

logger = logging.getLogger(__name__)

VALIDATION_SHARE = 0.05
DECODER = 2
"""Of the cache's content: to be raised with every change of what a file's samples become."""
SILENCE = 1e-4  # peak, full scale at 1
ABANDONED_S = 600.0
"""A half cache that nobody has written to for so long is of a process that was killed."""
_DECODERS = max(2, (os.cpu_count() or 2))


@dataclass(frozen=True)
class Clip:
    """Where a file's samples lie in the corpus; ``shard`` is the file that it came in, if any."""

    name: str
    domain: str
    group: str
    start: int
    length: int
    shard: int = 0


class Corpus:
    """All audio of some folders and manifests (see `sqcodec.train.data.listing`).

    Only the first channel of a file is used. Unreadable and silent files are skipped, with a
    reason.

    Attributes:
        samples: int16 ``[samples of all clips]``, mapped from the cache.
        sha256: over names and bytes of the usable files and of the manifests.
        sources: data sets and licences as the manifests state them.
        skipped: why files are not used.

    Args:
        places: folders and manifests.
        sample_rate: in Hz, of the codec to train.
        cache: folder for the decoded audio; made if missing.

    Raises:
        InputError: no usable audio, or a manifest that cannot be read.
    """

    def __init__(self, places: Sequence[Path], sample_rate: int, cache: Path) -> None:
        listing = list_files(places)
        self.sample_rate, self.roots = sample_rate, listing.roots
        facts = [_stat(entry) for entry in listing.entries]
        key = hashlib.sha256(json.dumps([DECODER, facts]).encode()).hexdigest()
        cache.mkdir(parents=True, exist_ok=True)
        stem = cache / f"{key[:16]}-{sample_rate}"
        index = stem.with_suffix(".json")
        if not index.is_file():
            _decode(listing.entries, sample_rate, stem)
        content = json.loads(index.read_text())
        self.skipped: list[str] = content["skipped"]
        # Domains and groups are not in the cache, so that an edited manifest takes effect.
        by_name = {entry.name: entry for entry in listing.entries}
        self.clips = [
            Clip(name, by_name[name].domain, by_name[name].group, start, length)
            for name, start, length in content["clips"]
        ]
        if not self.clips:
            raise InputError(
                ", ".join(map(str, places)),
                expected="audio files (WAV, FLAC, Ogg, Opus, MP3, and what else libsndfile reads)",
                found=f"{len(facts)} such files, none usable"
                + (f": {self.skipped[0]}" if self.skipped else ""),
            )
        both = content["sha256"] + listing.manifests_sha256
        self.sha256 = hashlib.sha256(both.encode()).hexdigest()
        self.sources = listing.sources((c.name, c.length / sample_rate) for c in self.clips)
        self.samples: NDArray[np.int16] = np.memmap(stem.with_suffix(".pcm"), np.int16, mode="r")

    @property
    def hours(self) -> float:
        return sum(clip.length for clip in self.clips) / self.sample_rate / 3600.0

    @property
    def domains(self) -> list[str]:
        """Names, sorted."""
        return sorted({clip.domain for clip in self.clips})

    def describe(self) -> dict[str, Any]:
        """What a run's record keeps of the data; nothing in it tells where the folders are."""
        return {
            "roots": self.roots,
            "files_sha256": self.sha256,
            "hours": round(self.hours, 3),
            "sources": self.sources,
        }

    def split(self) -> tuple[list[Clip], list[Clip]]:
        """Training and validation clips.

        Whole groups are held out, in an order fixed by a hash of their names, until they make up
        `VALIDATION_SHARE` of their domain; a domain of a single group is all training.
        """
        train: list[Clip] = []
        held_out: list[Clip] = []
        for domain in self.domains:
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


def _stat(entry: Entry) -> list[Any]:
    try:
        stat = entry.path.stat()
    except (OSError, ValueError):  # ValueError: a name with a null byte
        return [entry.name, None]
    return [entry.name, stat.st_size, stat.st_mtime_ns, entry.start, entry.duration]


def _decode(entries: Sequence[Entry], sample_rate: int, stem: Path) -> None:
    digest = hashlib.sha256()
    clips: list[list[Any]] = []
    skipped: list[str] = []
    start = 0
    for path in stem.parent.glob(f"{stem.name}.*.pcm"):
        if time.time() - path.stat().st_mtime > ABANDONED_S:
            path.unlink(missing_ok=True)
    # Written aside and renamed, so that an interrupted decode leaves no half cache.
    partial = stem.with_suffix(f".{os.getpid()}.pcm")
    try:
        with partial.open("wb") as file:
            for entry, (samples, sha256) in zip(
                entries, _read_all(entries, sample_rate), strict=True
            ):
                if isinstance(samples, str):
                    logger.warning("skipped: %s", samples)
                    skipped.append(samples)
                    continue
                file.write(samples.tobytes())
                digest.update(_hash(entry.name).encode() + sha256)
                clips.append([entry.name, start, len(samples)])
                start += len(samples)
        if clips:  # an empty file cannot be mapped
            partial.replace(stem.with_suffix(".pcm"))
    except OSError as error:
        raise InputError(
            str(stem.parent),
            expected="to write the decoded audio",
            found=error.strerror or str(error),
            remedy="Free space, or choose another --out.",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    index = stem.with_suffix(f".{os.getpid()}.json")
    index.write_text(json.dumps({"clips": clips, "skipped": skipped, "sha256": digest.hexdigest()}))
    index.replace(stem.with_suffix(".json"))


def _read_all(
    entries: Sequence[Entry], sample_rate: int
) -> Iterator[tuple[NDArray[np.int16] | str, bytes]]:
    """Samples (or why there are none) and hash of each file, in order, decoded in threads."""
    with ThreadPoolExecutor(_DECODERS) as pool:
        waiting = iter(entries)
        # A bounded number in flight: a corpus need not fit into memory.
        running = [
            pool.submit(_read, entry, sample_rate) for entry in islice(waiting, 2 * _DECODERS)
        ]
        while running:
            yield running.pop(0).result()
            running += [pool.submit(_read, entry, sample_rate) for entry in islice(waiting, 1)]


def _read(entry: Entry, sample_rate: int) -> tuple[NDArray[np.int16] | str, bytes]:
    if "\0" in entry.name:
        return f"{entry.name!r}: a name with a null byte", b""
    try:
        content = entry.path.read_bytes()
        samples = decode(
            content, entry.name, sample_rate, start=entry.start, duration=entry.duration
        )
    except OSError as error:
        return f"{entry.name}: {error.strerror}", b""
    except InputError as error:
        return str(error), b""
    return samples, hashlib.sha256(content).digest()


def decode(
    content: bytes,
    name: str,
    sample_rate: int,
    *,
    start: float = 0.0,
    duration: float | None = None,
) -> NDArray[np.int16]:
    """The first channel of an audio file's bytes at ``sample_rate``.

    A 16-bit file at that rate gives the very samples that are in it.

    Args:
        content: the file.
        name: how to call it in an error.
        sample_rate: in Hz.
        start, duration: a stretch of it in seconds; to its end where ``None``.

    Raises:
        InputError: not audio, cut off, damaged, empty, not finite, or silent.
    """
    import soxr

    samples, rate = audiofile.read(content, name=name, start=start, duration=duration)
    mono = samples if samples.ndim == 1 else np.ascontiguousarray(samples[:, 0])
    if rate != sample_rate:
        try:
            mono = soxr.resample(mono, rate, sample_rate, quality="VHQ")
        except (RuntimeError, ValueError, TypeError, MemoryError) as error:
            wanted = f"a rate that resamples to {sample_rate} Hz"
            raise InputError(name, expected=wanted, found=f"{rate} ({error})") from None
    if float(np.abs(mono).max(initial=0.0)) < SILENCE:
        raise InputError(name, expected="sound", found="silence")
    return np.asarray(np.clip(np.rint(mono * 32768.0), -32768, 32767), np.int16)


def _hash(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()
