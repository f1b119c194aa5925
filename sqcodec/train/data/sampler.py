"""Which crops a step trains on, and what is done to each: drawn from the seed and the step alone.

There is no state: a resumed run draws what the uninterrupted one would have drawn, and every
process of a distributed run draws the whole batch and takes its share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sqcodec.errors import InputError
from sqcodec.train.data.corpus import Clip
from sqcodec.train.data.window import Window
from sqcodec.train.recipes.sections import Data

SPEEDS = ((10, 9), (20, 19), (20, 21), (10, 11))
"""Ratios ``(new, old)`` of the number of samples; few, so that their filters are made once."""
LOWEST_CUTOFF = 0.25  # of the Nyquist frequency
MIX_DB = -15.0


@dataclass(frozen=True)
class Part:
    """A stretch of the corpus: ``length`` samples from ``start``; zeros follow if too short."""

    start: int
    length: int


@dataclass(frozen=True, kw_only=True)
class Crop:
    """One item of a batch.

    Attributes:
        part: the audio.
        other: what is mixed in, at ``other_gain``.
        gain: factor at the end, negative to turn the polarity.
        speed: resampling ratio ``(new, old)``; ``part`` is longer or shorter accordingly.
        cutoff: share of the band that is kept.
    """

    part: Part
    other: Part | None = None
    other_gain: float = 0.0
    gain: float = 1.0
    speed: tuple[int, int] = (1, 1)
    cutoff: float = 1.0


class Sampler:
    """Draws crops.

    Args:
        clips: what to draw from, longer ones more often.
        length: samples a crop.
        recipe: augmentation, and how domains take turns.
        seed: of every draw.

    Raises:
        InputError: the recipe names a domain that has no clips.
    """

    def __init__(self, clips: Sequence[Clip], *, length: int, recipe: Data, seed: int) -> None:
        self.length, self.recipe, self.seed = length, recipe, seed
        found = sorted({clip.domain for clip in clips})
        if unknown := set(recipe.domains) - set(found):
            raise InputError(
                f"recipe, data.domains {', '.join(sorted(unknown))}",
                expected=f"domains that have audio: {', '.join(found)}",
                found="none",
            )
        weights = recipe.domains or dict.fromkeys(found, 1.0)
        self.domains = [name for name in found if weights.get(name)]
        share = np.array([weights[name] for name in self.domains])
        self._share = share / share.sum()
        self._cycle = _cycle(self.domains, [float(x) for x in self._share])
        self._clips = {name: [c for c in clips if c.domain == name] for name in self.domains}
        self._odds = {}
        for name, members in self._clips.items():
            lengths = np.array([clip.length for clip in members], float)
            self._odds[name] = lengths / lengths.sum()
        self._windows = {
            name: Window(members, recipe.stream, seed)
            for name, members in self._clips.items()
            if recipe.stream
        }

    def batch(self, index: int, size: int) -> list[Crop]:
        """The crops of batch ``index`` (counted over all micro-batches of a run)."""
        rng = np.random.default_rng([self.seed, index])
        turn = self.turn(index) if self.recipe.alternate else None
        heard = index * size * self.length
        return [self._crop(rng, turn, heard) for _ in range(size)]

    def turn(self, index: int) -> str:
        """The domain of batch ``index`` where domains take turns."""
        return self._cycle[index % len(self._cycle)]

    def _crop(self, rng: np.random.Generator, domain: str | None, heard: int) -> Crop:
        recipe = self.recipe
        # Not drawn where it cannot happen, so that older recipes keep their draws.
        if recipe.silence_probability and rng.random() < recipe.silence_probability:
            return Crop(part=Part(0, 0))
        name = domain or self.domains[int(rng.choice(len(self.domains), p=self._share))]
        speed = (1, 1)
        if rng.random() < recipe.speed_probability:
            speed = SPEEDS[int(rng.integers(len(SPEEDS)))]
        other, other_gain = None, 0.0
        if rng.random() < recipe.mix_probability:
            other = self._part(rng, name, self.length, heard)
            other_gain = float(10 ** (rng.uniform(MIX_DB, 0.0) / 20))
        cutoff = 1.0
        if rng.random() < recipe.band_probability:
            cutoff = float(rng.uniform(LOWEST_CUTOFF, 1.0))
        gain = float(10 ** (rng.uniform(recipe.gain_db, 0.0) / 20) * rng.choice([-1.0, 1.0]))
        wanted = -(-self.length * speed[1] // speed[0])
        return Crop(
            part=self._part(rng, name, wanted, heard),
            other=other,
            other_gain=other_gain,
            gain=gain,
            speed=speed,
            cutoff=cutoff,
        )

    def _part(self, rng: np.random.Generator, name: str, length: int, heard: int) -> Part:
        members, odds = self._clips[name], self._odds[name]
        if name in self._windows:
            share = float(self._share[self.domains.index(name)])
            members, odds = self._windows[name].at(heard * share)
        clip = members[int(rng.choice(len(members), p=odds))]
        start = int(rng.integers(0, max(1, clip.length - length + 1)))
        return Part(clip.start + start, min(length, clip.length - start))


def _cycle(names: Sequence[str], shares: Sequence[float]) -> list[str]:
    """Turns by share, each name's spread evenly; once each where shares are equal."""
    turns = len(names) if max(shares) - min(shares) < 1e-9 else 100
    counts = {name: max(1, round(share * turns)) for name, share in zip(names, shares, strict=True)}
    due = [((n + 0.5) / count, name) for name, count in counts.items() for n in range(count)]
    return [name for _, name in sorted(due)]
