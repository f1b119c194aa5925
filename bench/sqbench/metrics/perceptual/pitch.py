"""Fundamental frequency: is the melody of speech kept?

Pitch by Praat's autocorrelation method (Boersma, "Accurate short-term analysis of the fundamental
frequency and the harmonics-to-noise ratio of a sampled sound", 1993), through the package
`praat-parselmouth`, every 10 ms between 60 and 600 Hz with its default costs. Compared where both
sides are voiced, without warping time: a codec does not move it.
"""

from __future__ import annotations

from importlib import metadata

import numpy as np
from numpy.typing import NDArray

from sqbench.metrics.base import Metric, Pair, Samples, Undefined
from sqbench.metrics.perceptual.guards import require_signal
from sqbench.metrics.perceptual.per_pair import per_pair
from sqbench.metrics.perceptual.weights import identity_of

STEP_S = 0.01
LOWEST_HZ, HIGHEST_HZ = 60.0, 600.0
FEWEST = 20
"""Frames voiced on both sides: 0.2 s."""


class _Pitch(Metric):
    version = 1
    categories = ("speech",)

    @property
    def identity(self) -> str:
        return identity_of(self, f"praat-parselmouth:{metadata.version('praat-parselmouth')}")


class F0Correlation(_Pitch):
    """Pearson's correlation of the two contours in Hz, at the reference's rate."""

    name = "f0-corr"
    direction = "higher"
    bounds = (-1.0, 1.0)

    def measure(self, pair: Pair) -> float:
        """See `Metric.measure`."""
        reference, estimate = contours(pair)
        if min(np.ptp(reference), np.ptp(estimate)) < 1e-6:
            raise Undefined("a contour is constant")
        return float(np.corrcoef(reference, estimate)[0, 1])


class F0RMSE(_Pitch):
    """Root mean square difference of the two contours in Hz, at the reference's rate."""

    name = "f0-rmse"
    direction = "lower"
    bounds = (0.0, None)

    def measure(self, pair: Pair) -> float:
        """See `Metric.measure`."""
        reference, estimate = contours(pair)
        return float(np.sqrt(np.mean(np.square(reference - estimate))))


@per_pair
def contours(pair: Pair) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies in Hz of the frames that are voiced on both sides, ``[n]`` each.

    Raises:
        Undefined: a side is silent or too short, or too few frames are voiced.
    """
    require_signal(pair)
    reference = contour(pair.reference, pair.sample_rate)
    estimate = contour(pair.estimate, pair.sample_rate)
    voiced = (reference > 0) & (estimate > 0)
    if np.count_nonzero(voiced) < FEWEST:
        raise Undefined(
            f"{np.count_nonzero(voiced)} frames are voiced on both sides "
            f"({np.count_nonzero(reference)} of the reference), {FEWEST} are needed"
        )
    return reference[voiced], estimate[voiced]


def contour(samples: Samples, rate: int) -> NDArray[np.float64]:
    """Frequency in Hz every 10 ms, 0 where there is no voice.

    Raises:
        Undefined: shorter than three periods of the lowest frequency.
    """
    import parselmouth

    if samples.shape[0] / rate < 3.0 / LOWEST_HZ + STEP_S:
        raise Undefined(f"{samples.shape[0] / rate:.3g} s are too short for a period of 60 Hz")
    pitch = parselmouth.Sound(samples, rate).to_pitch_ac(
        time_step=STEP_S, pitch_floor=LOWEST_HZ, pitch_ceiling=HIGHEST_HZ
    )
    return np.asarray(pitch.selected_array["frequency"], np.float64)
