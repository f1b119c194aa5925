"""Distances of spectra as the Descript audio codec (DAC) defines them.

Kumar et al., "High-Fidelity Audio Compression with Improved RVQGAN", 2023, section 4: the distance
of logarithmic mel spectra by its training loss (seven windows, 32 to 2048 samples, 5 to 320 bands),
and that of spectra by windows of 2048 and 512. Computed at the reference's rate, in float32 as the
original: filters and windows follow the rate, so that values at different rates do not compare.
"""

from __future__ import annotations

from sqbench.metrics.base import Metric, Pair, Undefined
from sqbench.metrics.mel import Resolution, differences, extended

STFT = (Resolution(2048, 512, None), Resolution(512, 128, None))
MEL = tuple(
    Resolution(n_fft, n_fft // 4, bands)
    for n_fft, bands in (
        (32, 5), (64, 10), (128, 20), (256, 40), (512, 80), (1024, 160), (2048, 320),
    )
)  # fmt: skip
_BEFORE = 1024
"""Samples that the longest window reaches beyond an end, where the signal is mirrored."""


class STFTDistance(Metric):
    """Mean differences of magnitudes and of the logarithms (base 10) of their squares, summed over
    two windows. 0 for equal signals, no unit."""

    name = "stft-distance"
    version = 1
    direction = "lower"
    bounds = (0.0, None)

    def measure(self, pair: Pair) -> float:
        """See `Metric.measure`."""
        return sum((2 * logs + linear) / count for logs, linear, count in _each(pair, STFT))


class MelDistance(Metric):
    """Mean differences of the logarithms (base 10) of mel magnitudes, summed over seven windows.
    0 for equal signals, no unit. The challenge's `mel` has two windows and magnitudes as well."""

    name = "mel-distance"
    version = 1
    direction = "lower"
    bounds = (0.0, None)

    def measure(self, pair: Pair) -> float:
        """See `Metric.measure`."""
        return sum(logs / count for logs, _, count in _each(pair, MEL))


def _each(pair: Pair, resolutions: tuple[Resolution, ...]) -> list[tuple[float, float, int]]:
    length = pair.reference.shape[0]
    if length <= _BEFORE:
        raise Undefined(f"{length} samples are too few for a window ({_BEFORE + 1} needed)")
    signals = extended(pair.reference, pair.estimate, _BEFORE)
    return [differences(signals, pair, resolution) for resolution in resolutions]
