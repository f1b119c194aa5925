"""Unit edit distance: how many tokens a change of the audio costs.

Levenshtein distance of two sequences of codes over the length of the first (STAB, Vashishth et al.
2024; StableToken, 2025), each codebook by itself and summed. Unlike a comparison frame by frame it
forgives tokens that are shifted.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqbench_codecs import Codes


@dataclass(frozen=True, kw_only=True)
class Edits:
    """Counts of one clip, or of several added up.

    Attributes:
        edits: insertions, deletions and substitutions.
        length: codes of the original.
        same: codes that are equal in their own place.
    """

    edits: int
    length: int
    same: int

    @property
    def distance(self) -> float:
        return self.edits / self.length


def edits(original: Codes, other: Codes) -> Edits:
    """From ``original [num_codebooks, N]`` to ``other [num_codebooks, M]``."""
    from rapidfuzz.distance import Levenshtein

    shared = min(original.shape[1], other.shape[1])
    return Edits(
        edits=sum(
            Levenshtein.distance(a.tolist(), b.tolist())
            for a, b in zip(original, other, strict=True)
        ),
        length=int(original.size),
        same=int((original[:, :shared] == other[:, :shared]).sum()),
    )
