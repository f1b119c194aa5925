"""Loudness, and the gains that make the versions of a clip equally loud.

Loudness is the integrated loudness of ITU-R BS.1770-4: K-weighting, blocks of 400 ms that overlap
by three quarters, gates at -70 LUFS and at 10 LU below what passed the first. The filters are the
recommendation's own, at 48 kHz, to which other rates are brought.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from sqbench import audio

METHOD = "integrated loudness, ITU-R BS.1770-4"
MOST_DB = 20.0
"""A version that differs by more has not another level but another content: it is left as it is."""

_RATE = 48_000
_SHELF = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (1.0, -1.69065929318241, 0.73248077421585),
)
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
_BLOCK, _STEP = _RATE * 4 // 10, _RATE // 10
_ABSOLUTE_LUFS, _RELATIVE_LU = -70.0, 10.0


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What a version is multiplied by.

    Attributes:
        db: to the original's loudness; ``None`` where there is none, as ``reason`` says.
        factor: what the samples are multiplied by; holds the clip's common headroom too.
    """

    db: float | None
    factor: float
    reason: str = ""


def loudness(samples: NDArray[np.floating], rate: int) -> float | None:
    """Integrated loudness of mono ``[T]`` in LUFS; ``None`` of what is below the absolute gate."""
    x = audio.resample(samples.astype(np.float64), rate, _RATE)
    for numerator, denominator in (_SHELF, _HIGH_PASS):
        x = lfilter(numerator, denominator, x)
    # One block where the clip is shorter than a block: the best that can be said of it.
    block = min(_BLOCK, len(x))
    energy = np.concatenate([[0.0], np.cumsum(x**2)])
    starts = np.arange(0, len(x) - block + 1, _STEP)
    power = (energy[starts + block] - energy[starts]) / block
    power = power[_lufs(power) > _ABSOLUTE_LUFS]
    if not power.size:
        return None
    power = power[_lufs(power) > float(_lufs(np.mean(power))) - _RELATIVE_LU]
    return float(_lufs(np.mean(power)))


def gains(sounds: Sequence[tuple[NDArray[np.floating], int]]) -> list[Gain]:
    """The gains of the original, which comes first, and of each version.

    Where a matched version would go beyond full scale, all versions of the clip are made softer by
    what is needed.

    Args:
        sounds: samples ``[T]`` and their rate; what lies beyond full scale is heard clipped.
    """
    heard = [(np.clip(samples, -1, 1), rate) for samples, rate in sounds]
    target, *others = [loudness(*each) for each in heard]
    decibels: list[tuple[float | None, str]] = [(0.0, "")]
    decibels += [_towards(target, found) for found in others]
    factors = [10 ** ((db or 0.0) / 20) for db, _ in decibels]
    peaks = [float(np.max(np.abs(samples), initial=0)) for samples, _ in heard]
    headroom = max(1.0, *(factor * peak for factor, peak in zip(factors, peaks, strict=True)))
    return [
        Gain(db=db, factor=factor / headroom, reason=reason)
        for (db, reason), factor in zip(decibels, factors, strict=True)
    ]


def _towards(target: float | None, found: float | None) -> tuple[float | None, str]:
    if target is None or found is None:
        which = "the original" if target is None else "this version"
        return None, f"{which} is too soft for a loudness"
    if abs(target - found) > MOST_DB:
        return None, f"differs by {abs(target - found):.0f} dB: left as it is"
    return target - found, ""


def _lufs(power: NDArray[np.float64] | np.floating) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(-0.691 + 10 * np.log10(power))
