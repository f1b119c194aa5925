"""A corpus that stays in its shards: clips are decoded when they are drawn, and no copy is made.

An index says how long every clip is; it is made once, by decoding everything once. From there on
samples are addressed as in `sqcodec.train.data.corpus.Corpus`, so that the sampler, which needs no
state, draws the same crops of either, and a resumed run goes on where it was.
"""

from __future__ import annotations

import bisect
import hashlib
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqcodec.errors import InputError
from sqcodec.train.data.corpus import DECODER, Clip, Corpus, decode
from sqcodec.train.data.listing import Entry, Listing
from sqcodec.train.data.shards import Member, Reader, members, shards_in

KEPT_BYTES = 512 << 20
"""Of decoded clips in memory: those that the next crops are likely to be of."""

_DECODERS = max(2, (os.cpu_count() or 2))


class StreamCorpus(Corpus):
    """All clips of the shards in some folders.

    Attributes:
        samples: int16 by position, as of a `Corpus`, decoded when asked for (`Samples`).

    Args:
        places: folders of shards, or shards.
        sample_rate: in Hz, of the codec to train.
        cache: folder for the index; made if missing.

    Raises:
        InputError: no shards, one that cannot be read, equal names, or no usable audio.
    """

    def __init__(self, places: Sequence[Path], sample_rate: int, cache: Path) -> None:
        shards = [shard for place in places for shard in shards_in(place)]
        if not shards:
            raise InputError(
                ", ".join(map(str, places)),
                expected="shards (.tar, .parquet)",
                found="none",
                remedy="python -m sqcodec.train.shards writes them.",
            )
        self.sample_rate = sample_rate
        self.roots = [place.resolve().name for place in places]
        content = _index(shards, sample_rate, cache)
        self.skipped: list[str] = content["skipped"]
        found = [
            (Member(name, domain, group, at, size, row), shard, length)
            for name, domain, group, at, size, row, shard, length in content["clips"]
        ]
        if not found:
            raise InputError(
                ", ".join(map(str, places)), expected="usable audio", found=str(self.skipped[:1])
            )
        # By name, as a corpus of files has them: what is drawn does not depend on the packing.
        found.sort(key=lambda each: each[0].name)
        self.clips, addresses, start = list[Clip](), list[tuple[Path, int, int, str]](), 0
        for member, shard, length in found:
            clip = Clip(member.name, member.domain, member.group, start, length, shard)
            self.clips.append(clip)
            addresses.append((shards[shard], member.at, member.size, member.name))
            start += length
        if len({clip.name for clip in self.clips}) < len(self.clips):
            raise InputError("--data", expected="each name once", found="one twice")
        self.sha256 = content["sha256"]
        listing = Listing(
            entries=[
                Entry(path=shards[shard], name=m.name, domain=m.domain, group=m.group, row=m.row)
                for m, shard, _ in found
            ],
            roots=self.roots,
            manifests_sha256="",
            stated=any({"dataset", "license"} <= m.row.keys() for m, *_ in found),
        )
        self.sources = listing.sources((c.name, c.length / sample_rate) for c in self.clips)
        self.samples: Any = Samples(self.clips, addresses, sample_rate)


class Samples:
    """Samples of clips one after the other, decoded when they are asked for; thread-safe."""

    def __init__(
        self,
        clips: Sequence[Clip],
        addresses: Sequence[tuple[Path, int, int, str]],
        sample_rate: int,
    ) -> None:
        self._clips, self._addresses, self._rate = clips, addresses, sample_rate
        self._starts = [clip.start for clip in clips]
        self._kept: OrderedDict[int, NDArray[np.int16]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._reader = Reader()
        self._pool = ThreadPoolExecutor(_DECODERS)
        self.decoded = 0

    def __getitem__(self, wanted: slice) -> NDArray[np.int16]:
        """Samples of one clip; ``wanted`` does not reach into the next one.

        Raises:
            InputError: the shard changed.
        """
        start, stop, _ = wanted.indices(self._starts[-1] + self._clips[-1].length)
        if stop <= start:
            return np.zeros(0, np.int16)
        at = bisect.bisect_right(self._starts, start) - 1
        begin = self._starts[at]
        assert stop - begin <= self._clips[at].length, "a crop of two clips"
        return self._clip(at)[start - begin : stop - begin]

    def many(self, stretches: Sequence[slice]) -> list[NDArray[np.int16]]:
        """Several of them, decoded side by side."""
        return list(self._pool.map(self.__getitem__, stretches))

    def _clip(self, at: int) -> NDArray[np.int16]:
        with self._lock:
            if at in self._kept:
                self._kept.move_to_end(at)
                return self._kept[at]
        shard, offset, size, name = self._addresses[at]
        samples = decode(self._reader.read(shard, offset, size), name, self._rate)
        if len(samples) != self._clips[at].length:
            raise InputError(
                f"{shard}: {name}", expected="the clip as it was indexed", found="another",
                remedy="Start again with another --out: the shards changed.",
            )  # fmt: skip
        with self._lock:
            self.decoded += 1
            if at not in self._kept:
                self._kept[at] = samples
                self._bytes += samples.nbytes
            while self._bytes > KEPT_BYTES and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return samples


def _index(shards: Sequence[Path], sample_rate: int, cache: Path) -> dict[str, Any]:
    """What is in the shards, as JSON, made once."""
    facts = [[shard.name, shard.stat().st_size, shard.stat().st_mtime_ns] for shard in shards]
    key = hashlib.sha256(json.dumps([DECODER, facts]).encode()).hexdigest()
    path = cache / f"{key[:16]}-{sample_rate}-stream.json"
    if path.is_file():
        return dict(json.loads(path.read_text()))
    clips: list[list[Any]] = []
    skipped: list[str] = []
    hashes: dict[str, bytes] = {}
    for member, number, length, sha256 in _measured(shards, sample_rate):
        if isinstance(length, str):
            skipped.append(length)
            continue
        hashes[member.name] = sha256
        about = [member.name, member.domain, member.group, member.at, member.size]
        clips.append([*about, dict(member.row), number, length])
    digest = hashlib.sha256()
    for name in sorted(hashes):
        digest.update(hashlib.sha256(os.fsencode(name)).hexdigest().encode() + hashes[name])
    content = {"clips": clips, "skipped": skipped, "sha256": digest.hexdigest()}
    cache.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.json")
    part.write_text(json.dumps(content))
    part.replace(path)
    return content


def _measured(
    shards: Sequence[Path], sample_rate: int
) -> Iterator[tuple[Member, int, int | str, bytes]]:
    """Every clip with its shard, and its length in samples or why it is not used."""
    reader = Reader()

    def measure(member: Member, number: int) -> tuple[Member, int, int | str, bytes]:
        try:
            content = reader.read(shards[number], member.at, member.size)
            length: int | str = len(decode(content, member.name, sample_rate))
        except InputError as error:
            return member, number, str(error), b""
        return member, number, length, hashlib.sha256(content).digest()

    work = ((member, number) for number, shard in enumerate(shards) for member in members(shard))
    with ThreadPoolExecutor(_DECODERS) as pool:
        running = [pool.submit(measure, *each) for each in islice(work, 4 * _DECODERS)]
        while running:
            yield running.pop(0).result()
            running += [pool.submit(measure, *each) for each in islice(work, 1)]
    reader.close()
