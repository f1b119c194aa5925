"""MEL: distance of mel spectrograms at two resolutions, as the challenge computes it.

The challenge goes through ``audiotools`` on torch. The same float32 arithmetic is done here with
NumPy, so that a scoring worker need not import torch. For each resolution, with ``M`` the mel
magnitudes: the mean of ``|log10 max(M, 1e-5)^2|`` differences plus the mean of ``|M|`` differences.
Windows are fixed in samples, so that their duration follows the rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqbench.metrics.base import Metric, Pair, Samples, Undefined

FLOOR = 1e-5
_ELEMENTS = 1 << 17  # samples transformed at once: bounds memory, and stays in cache


@dataclass(frozen=True)
class Resolution:
    """One of the two spectrograms; the window is as long as the transform."""

    n_fft: int
    hop: int
    n_mels: int


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
        return sum(
            distance(pair.reference, pair.estimate, pair.sample_rate, r) for r in RESOLUTIONS
        )


def distance(reference: Samples, estimate: Samples, rate: int, resolution: Resolution) -> float:
    """Log plus linear distance at one resolution, of ``[T]`` against ``[T]``."""
    n_fft, hop = resolution.n_fft, resolution.hop
    filters = _sparse_filterbank(rate, n_fft, resolution.n_mels)
    window = _hann(n_fft)
    signals = np.stack([reference, estimate]).astype(np.float32)
    padded = np.pad(signals, ((0, 0), (n_fft // 2, n_fft // 2)), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft, axis=1)[:, ::hop]
    count = frames.shape[1]
    block = max(1, _ELEMENTS // (2 * n_fft))
    log_sum = linear_sum = 0.0
    for start in range(0, count, block):
        a, b = _mel(frames[:, start : start + block], window, filters)
        linear_sum += float(np.sum(np.abs(a - b), dtype=np.float64))
        ratio = np.maximum(a, np.float32(FLOOR)) / np.maximum(b, np.float32(FLOOR))
        log_sum += float(np.sum(np.abs(np.log10(ratio)), dtype=np.float64))
    return (2 * log_sum + linear_sum) / int(count * resolution.n_mels)


def _mel(
    frames: NDArray[np.float32], window: NDArray[np.float32], filters: Any
) -> NDArray[np.float32]:
    """Mel magnitudes ``[2, mels, frames]`` of ``[2, frames, n_fft]``."""
    from scipy import fft

    magnitude = np.abs(fft.rfft(frames * window, axis=-1, overwrite_x=True))
    flat = magnitude.reshape(-1, magnitude.shape[-1])
    # Not a dense product: most weights are zero, and BLAS may round by its number of threads.
    mels = filters @ flat.T
    return np.asarray(np.moveaxis(mels.reshape(-1, 2, frames.shape[1]), 1, 0))


@lru_cache(maxsize=4)
def _hann(n: int) -> NDArray[np.float32]:
    """Periodic Hann window."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)).astype(np.float32)


@lru_cache(maxsize=32)
def _sparse_filterbank(rate: int, n_fft: int, n_mels: int) -> Any:
    from scipy import sparse

    return sparse.csr_array(filterbank(rate, n_fft, n_mels))


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
