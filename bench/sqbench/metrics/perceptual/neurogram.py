"""ViSQOL's comparison of two spectrograms: patches of the reference, each matched with the part of
the estimate that fits best, and their similarity by band.

The similarity index (NSIM; Hines and Harte, "Speech intelligibility prediction using a neurogram
similarity index measure", 2012) of a patch is the mean over its points of intensity times
structure, both from means, variances and the covariance in a 3 x 3 neighbourhood. Matching is a
dynamic programme over all frames of the estimate (Hines et al., "ViSQOL: an objective speech
quality model", 2015). Follows ViSQOL 3 as `visqol-python` has it, rules for ties included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CENTRE, SIDE, CORNER = 0.619485845753726, 0.0838251475442633, 0.0113033910173052
"""Weights of the neighbourhood; beyond a patch's edge its last value stands."""
C1, C3 = 0.01**2, 0.03**2 / 2
SEARCH_PATCHES = 60
"""How many patches' lengths away from its place a patch is looked for."""

_ELEMENTS = 1 << 15  # points compared at once: bounds memory, and stays in cache


@dataclass(frozen=True)
class Likeness:
    """NSIM of a patch.

    Attributes:
        means, deviations: over its frames, by band ``[bands]``.
        energy: the estimate's mean level by band, ``[bands]``.
        lost: no part of the estimate was left for the patch.
    """

    means: Array
    deviations: Array
    energy: Array
    lost: bool = False

    @property
    def similarity(self) -> float:
        return 0.0 if self.lost else float(np.mean(self.means))


def likeness(reference: Array, estimate: Array) -> Likeness:
    """Of two patches ``[bands, frames]`` in dB above the floor."""
    points = _similarity(_Local.of(reference), _Local.of(estimate), reference * estimate)
    return Likeness(
        means=points.mean(axis=1),
        deviations=points.std(axis=1, ddof=1),
        energy=estimate.mean(axis=1),
    )


def match(
    patches: Sequence[Array], places: Sequence[int], spectrogram: Array
) -> list[tuple[int, bool]]:
    """The frames of the estimate that the patches fit best, in the order of the patches.

    Args:
        patches: of the reference, ``[bands, frames]`` each.
        places: their first frames, rising.
        spectrogram: of the estimate, ``[bands, frames]``.

    Returns:
        For each patch its first frame in the estimate, and whether it was lost: it shares that
        frame with the patch before.
    """
    width, count = patches[0].shape[1], spectrogram.shape[1]
    reach = SEARCH_PATCHES * width
    field = _Field.of(spectrogram, width)
    totals = np.zeros((len(patches), count))
    before = np.full((len(patches), count), -1, dtype=np.int64)
    for index, (patch, place) in enumerate(zip(patches, places, strict=True)):
        low, high = max(0, place - reach), min(count - 1, place + reach)
        here = slice(low, high + 1)
        total = field.similarities(patch, low, high)
        past = np.full(total.shape, -1, dtype=np.int64)
        if index:
            start = max(0, places[index - 1] - reach)
            previous = totals[index - 1]
            best, best_at = _best_before(previous[start : high + 1], start)
            total = total + best[low - start :]
            past = best_at[low - start :]
            stays = previous[here] > total
            total = np.where(stays, previous[here], total)
            past = np.where(stays, np.arange(low, high + 1), past)
        totals[index, here], before[index, here] = total, past
    start = max(0, places[-1] - reach)
    frame = start + int(np.argmax(totals[-1, start : min(count - 1, places[-1] + reach) + 1]))
    found = []
    for index in range(len(patches) - 1, -1, -1):
        came_from = int(before[index, frame])
        found.append((frame, frame == came_from))
        frame = came_from
    return found[::-1]


def _best_before(totals: Array, start: int) -> tuple[Array, NDArray[np.int64]]:
    """For each frame the largest total of an earlier one, and which that was: the last of equals.

    The first frame has none: minus infinity, and -1.
    """
    highest = np.maximum.accumulate(totals)
    frames = np.arange(start, start + totals.shape[0])
    at = np.maximum.accumulate(np.where(totals >= highest, frames, -1))
    return (
        np.concatenate([[-np.inf], highest[:-1]]),
        np.concatenate([[-1], at[:-1]]),
    )


def cut(spectrogram: Array, start: int, width: int) -> Array:
    """A patch ``[bands, width]`` of a spectrogram, zeros beyond its end."""
    patch = np.zeros((spectrogram.shape[0], width))
    part = spectrogram[:, start : start + width]
    patch[:, : part.shape[1]] = part
    return patch


@dataclass(frozen=True)
class _Local:
    """Means in neighbourhoods of a patch, their squares, and variances; shapes alike."""

    mean: Array
    square: Array
    variance: Array

    @classmethod
    def of(cls, patch: Array) -> _Local:
        mean = _smooth(patch)
        square = mean * mean
        return cls(mean, square, _smooth(patch * patch) - square)


@dataclass(frozen=True)
class _Field:
    """All patches of a width in a spectrogram, by first frame, without cutting them out.

    A patch's inner columns see their neighbours in the spectrogram, the first and the last see
    themselves instead of what is outside: three local statistics of each column.
    """

    spectrogram: Array
    width: int
    inner: _Local
    first: _Local
    last: _Local

    @classmethod
    def of(cls, spectrogram: Array, width: int) -> _Field:
        padded = np.pad(spectrogram, [(0, 0), (0, width - 1)])

        def local(left: bool, right: bool) -> _Local:
            mean = _smooth(padded, left=left, right=right)
            square = mean * mean
            return _Local(mean, square, _smooth(padded * padded, left=left, right=right) - square)

        return cls(padded, width, local(True, True), local(False, True), local(True, False))

    def similarities(self, patch: Array, low: int, high: int) -> Array:
        """NSIM of a patch with that at each first frame from ``low`` to ``high``."""
        own = _Local.of(patch)
        found = np.empty(high + 1 - low)
        step = max(1, _ELEMENTS // patch.size)
        for start in range(low, high + 1, step):
            stop = min(start + step, high + 1)
            points = _similarity(
                own,
                self._local(start, stop),
                patch * self._windows(self.spectrogram, start, stop),
            )
            found[start - low : stop - low] = points.mean(axis=2).mean(axis=1)
        return found

    def _windows(self, field: Array, start: int, stop: int) -> Array:
        """``[stop - start, bands, width]``, a view."""
        part = field[:, start : stop + self.width - 1]
        return np.lib.stride_tricks.sliding_window_view(part, self.width, axis=1).swapaxes(0, 1)

    def _local(self, start: int, stop: int) -> _Local:
        def windows(name: str) -> Array:
            copied = np.array(self._windows(getattr(self.inner, name), start, stop))
            copied[:, :, 0] = getattr(self.first, name)[:, start:stop].T
            end = self.width - 1
            copied[:, :, -1] = getattr(self.last, name)[:, start + end : stop + end].T
            return copied

        return _Local(windows("mean"), windows("square"), windows("variance"))


def _smooth(field: Array, *, left: bool | None = None, right: bool | None = None) -> Array:
    """Weighted neighbourhoods of ``[..., bands, frames]``; edges repeat.

    ``left`` and ``right`` say whether columns see the neighbour on that side or, everywhere,
    themselves; both do unless told.
    """
    vertical = np.empty_like(field)
    vertical[..., 1:-1, :] = field[..., :-2, :] + field[..., 2:, :]
    vertical[..., 0, :] = field[..., 0, :] + field[..., 1, :]
    vertical[..., -1, :] = field[..., -2, :] + field[..., -1, :]
    beside = SIDE * field + CORNER * vertical
    out: Array = CENTRE * field + SIDE * vertical
    for seen, to, source, edge in (
        (left, np.s_[..., 1:], np.s_[..., :-1], np.s_[..., :1]),
        (right, np.s_[..., :-1], np.s_[..., 1:], np.s_[..., -1:]),
    ):
        if seen is False:
            out += beside
            continue
        out[to] += beside[source]
        out[edge] += beside[edge]
    return out


def _similarity(reference: _Local, estimate: _Local, product: Array) -> Array:
    """Intensity times structure at each point; ``product`` is that of the patches."""
    means = reference.mean * estimate.mean
    covariance = _smooth(product)
    covariance -= means
    variances = reference.variance * estimate.variance
    # Rounding makes variances of flat parts negative.
    spread = np.where(variances < 0.0, 0.0, np.sqrt(np.maximum(variances, 0.0)))
    spread += C3
    covariance += C3
    means *= 2.0
    means += C1
    means *= covariance
    spread *= reference.square + estimate.square + C1
    means /= spread
    return means
