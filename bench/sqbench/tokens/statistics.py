"""Codecs as tokenizers: how much of a codebook is used, what its codes carry, how stable they are.

Pooled over all clips, as a clip alone holds far fewer codes than a codebook has entries. Entropy is
of single codes, each codebook by itself: what an ideal entropy coder without memory would need. It
is the plug-in estimate with the correction of Miller and Madow (Miller 1955: plus (K - 1) / 2N nats
for K entries seen in N codes), never above the logarithm of the codebook's size. Where many entries
are seen once, both are too low; Good's coverage (Good 1953: one minus the share of codes seen
once) says how much of what comes next has been seen at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sqbench_codecs import Codes, num_bits

COVERED = 0.9
"""Below this coverage entropy and perplexity are lower bounds rather than estimates."""


@dataclass(frozen=True, kw_only=True)
class Book:
    """One codebook's statistics.

    Attributes:
        size: entries.
        used: entries seen.
        entropy: bits a code.
        coverage: estimated probability that the next code is one that was seen.
    """

    size: int
    used: int
    entropy: float
    coverage: float

    @property
    def perplexity(self) -> float:
        """Entries of a codebook used evenly that would carry as much."""
        return float(2.0**self.entropy)


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """A codec's statistics over clips.

    Attributes:
        clips: number of them.
        seconds: of audio.
        frames: of codes, padding included.
        measured_bps: bits of the codes a second of audio.
        books: one `Book` a codebook.
        agreement: share of codes that stay, by `Probe` name; NaN without any to compare.
    """

    clips: int
    seconds: float
    frames: int
    measured_bps: float
    books: tuple[Book, ...]
    agreement: Mapping[str, float]

    @property
    def entropy_bps(self) -> float:
        """Bits a second of audio that an ideal coder without memory would need."""
        return self.frames / self.seconds * math.fsum(book.entropy for book in self.books)

    @property
    def coverage(self) -> float:
        """Of the codebook that is covered least."""
        return min(book.coverage for book in self.books)


@dataclass(frozen=True, kw_only=True)
class ClipTokens:
    """A clip's codes, and how many of them a probe found again.

    Attributes:
        codes: ``[num_codebooks, frames]``.
        seconds: of audio.
        probes: name to (codes that stayed, codes compared).
    """

    codes: Codes
    seconds: float
    probes: Mapping[str, tuple[int, int]]


def pooled(clips: Sequence[ClipTokens], sizes: Sequence[int]) -> Tokens:
    """Statistics over ``clips``, at least one, of codebooks of ``sizes``."""
    seconds = math.fsum(clip.seconds for clip in clips)
    names = dict.fromkeys(name for clip in clips for name in clip.probes)
    agreement = {}
    for name in names:
        pairs = [clip.probes[name] for clip in clips if name in clip.probes]
        same, compared = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
        agreement[name] = same / compared if compared else math.nan
    return Tokens(
        clips=len(clips),
        seconds=seconds,
        frames=sum(clip.codes.shape[1] for clip in clips),
        measured_bps=math.fsum(num_bits(clip.codes, sizes) for clip in clips) / seconds,
        books=tuple(
            book(np.concatenate([clip.codes[index] for clip in clips]), size)
            for index, size in enumerate(sizes)
        ),
        agreement=agreement,
    )


def book(codes: NDArray[np.int64], size: int) -> Book:
    """Statistics of one codebook's codes ``[N]``."""
    _, counts = np.unique(codes, return_counts=True)
    total = len(codes)
    if not total:
        return Book(size=size, used=0, entropy=math.nan, coverage=math.nan)
    shares = counts / total
    nats = -math.fsum(shares * np.log(shares)) + (len(counts) - 1) / (2 * total)
    return Book(
        size=size,
        used=len(counts),
        entropy=min(nats / math.log(2), math.log2(size)),
        coverage=1 - int((counts == 1).sum()) / total,
    )


def same(codes: Codes, other: Codes, *, offset: int = 0, frames: int) -> tuple[int, int]:
    """How many codes ``other`` has again, ``offset`` frames earlier, of the first ``frames``.

    Returns:
        (codes that are equal, codes compared).
    """
    count = max(0, min(frames - offset, codes.shape[1] - offset, other.shape[1]))
    equal = codes[:, offset : offset + count] == other[:, :count]
    return int(equal.sum()), int(equal.size)
