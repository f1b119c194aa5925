"""MEL: distance of mel spectrograms at two resolutions, as the challenge computes it.

The challenge goes through ``audiotools`` on torch. The same float32 arithmetic is done here with
NumPy, so that a scoring worker need not import torch. For each resolution, with ``M`` the mel
magnitudes: the mean of ``|log10 max(M, 1e-5)^2|`` differences plus the mean of ``|M|`` differences.
Windows are fixed in samples, so that their duration follows the rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sqbench.metrics.base import Metric, Pair, Samples, Undefined

FLOOR = 1e-5
_ELEMENTS = 1 << 16  # samples transformed at once: bounds memory, and stays in cache
_FILTERS = 16  # in one product: with fewer there are more calls, with more there are more zeros


@dataclass(frozen=True)
class Resolution:
    """Of a spectrogram; the window is as long as the transform. No ``n_mels``: all bins."""

    n_fft: int
    hop: int
    n_mels: int | None


RESOLUTIONS = (Resolution(2048, 512, 150), Resolution(512, 128, 80))


class MEL(Metric):
    """Mel-spectrogram distance, unit-free: 0 for equal signals, larger is worse.

    Values at different sample rates are not comparable: filters and windows follow the rate.
    """

    name = "mel"
    version = 1
    direction = "lower"
    bounds = (0.0, None)

    def measure(self, pair: Pair) -> float:
        """The sum over both resolutions; see `Metric.measure`."""
        shortest = max(r.n_fft for r in RESOLUTIONS) // 2 + 1
        if pair.reference.shape[0] < shortest:
            raise Undefined(
                f"{pair.reference.shape[0]} samples are too few for a window "
                f"({shortest} needed; official: RuntimeError)"
            )
        signals = extended(pair.reference, pair.estimate, shortest - 1)
        return sum(distance(signals, pair, r) for r in RESOLUTIONS)


def distance(signals: NDArray[np.float32], pair: Pair, resolution: Resolution) -> float:
    """Log plus linear distance of mel spectra at one resolution; see `differences`."""
    logs, linear, count = differences(signals, pair, resolution)
    return (2 * logs + linear) / count


def differences(
    signals: NDArray[np.float32], pair: Pair, resolution: Resolution
) -> tuple[float, float, int]:
    """How far two spectrograms are from each other.

    Args:
        signals: the pair's, ``[2, before + T + before]``, as `extended` gives them.
        resolution: its window, and its bands if it has any; else the bins are compared.

    Returns:
        The sums of ``|log10 max(M, 1e-5)|`` differences and of ``|M|`` differences, ``M`` the
        magnitudes, and their number.
    """
    n_fft, rate = resolution.n_fft, pair.sample_rate
    beyond = (signals.shape[1] - pair.reference.shape[0] - n_fft) // 2
    framed = signals[:, beyond : signals.shape[1] - beyond]
    frames = np.lib.stride_tricks.sliding_window_view(framed, n_fft, axis=1)[:, :: resolution.hop]
    count = frames.shape[1]
    block = max(1, _ELEMENTS // (2 * n_fft))
    log_sum = linear_sum = 0.0
    for start in range(0, count, block):
        magnitude = _magnitude(frames[:, start : start + block])
        a, b = _mel(magnitude, rate, resolution.n_mels) if resolution.n_mels else magnitude
        linear_sum += float(np.sum(np.abs(a - b), dtype=np.float64))
        ratio = np.maximum(a, np.float32(FLOOR)) / np.maximum(b, np.float32(FLOOR))
        log_sum += float(np.sum(np.abs(np.log10(ratio, out=ratio)), dtype=np.float64))
    return log_sum, linear_sum, int(count * (resolution.n_mels or n_fft // 2 + 1))


def extended(reference: Samples, estimate: Samples, before: int) -> NDArray[np.float32]:
    """Both in float32, ``[2, before + T + before]``, mirrored about their first and last sample."""
    signals = np.empty((2, reference.shape[0] + 2 * before), dtype=np.float32)
    inside = signals[:, before:-before]
    inside[0], inside[1] = reference, estimate
    signals[:, :before] = inside[:, before:0:-1]
    signals[:, -before:] = inside[:, -2 : -before - 2 : -1]
    return signals


def _magnitude(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Magnitudes ``[2, frames, bins]`` of ``[2, frames, n_fft]``."""
    from scipy import fft

    windowed = frames * _hann(frames.shape[-1])
    return np.asarray(np.abs(fft.rfft(windowed, axis=-1, overwrite_x=True)))


def _mel(magnitude: NDArray[np.float32], rate: int, n_mels: int) -> NDArray[np.float32]:
    """Mel magnitudes ``[2, frames, mels]`` of ``[2, frames, bins]``."""
    n_fft = 2 * (magnitude.shape[-1] - 1)
    mels = np.empty((*magnitude.shape[:-1], n_mels), dtype=np.float32)
    for filters, bins, weights in _bands(rate, n_fft, n_mels):
        np.matmul(magnitude[..., bins], weights, out=mels[..., filters])
    return mels


@lru_cache(maxsize=32)
def _bands(rate: int, n_fft: int, n_mels: int) -> list[tuple[slice, slice, NDArray[np.float32]]]:
    """The filterbank in parts: the filters, the bins that they span, weights ``[bins, filters]``.

    Most weights of the whole matrix are zero, and BLAS may round a large product by its number of
    threads; it does not divide products as small as these.
    """
    weights = filterbank(rate, n_fft, n_mels)
    bands = []
    for first in range(0, n_mels, _FILTERS):
        part = weights[first : first + _FILTERS]
        used = np.flatnonzero(part.any(axis=0))
        bins = slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, 0)
        filters = slice(first, first + part.shape[0])
        bands.append((filters, bins, np.ascontiguousarray(part[:, bins].T)))
    return bands


@lru_cache(maxsize=8)
def _hann(n: int) -> NDArray[np.float32]:
    """Periodic Hann window."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)).astype(np.float32)


def filterbank(rate: int, n_fft: int, n_mels: int) -> NDArray[np.float32]:
    """Triangular filters ``[n_mels, n_fft // 2 + 1]`` on Slaney's mel scale, of equal area.

    Equal to ``librosa.filters.mel`` with its defaults. Slaney's scale (Auditory Toolbox, 1998) is
    linear to 1 kHz, at 3 mel per 200 Hz, and logarithmic above, at 27 mel per factor of 6.4.
    """
    knee_hz, knee_mel, slope = 1000.0, 15.0, np.log(6.4) / 27.0
    top = rate / 2
    top_mel = top * 3 / 200 if top < knee_hz else knee_mel + np.log(top / knee_hz) / slope
    mels = np.linspace(0.0, top_mel, n_mels + 2)
    edges = np.where(mels < knee_mel, mels * 200 / 3, knee_hz * np.exp(slope * (mels - knee_mel)))
    bins = np.fft.rfftfreq(n_fft, 1.0 / rate)
    widths = np.diff(edges)[:, None]
    ramps = edges[:, None] - bins
    weights = np.maximum(0.0, np.minimum(-ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]))
    area = 2.0 / (edges[2:] - edges[:-2])[:, None]
    # Rounded before the norm and after it, as librosa does.
    return np.asarray((weights.astype(np.float32) * area).astype(np.float32))
