"""STOI as the challenge computes it: short-time objective intelligibility, its own variant.

Taal, Hendriks, Heusdens, Jensen, "An Algorithm for Intelligibility Prediction of Time-Frequency
Weighted Noisy Speech", 2011. The challenge's code is a transcription of the authors' MATLAB and
differs from ``pystoi`` (which is `stoi-pystoi` here): another resampling filter, a silence mask
taken one sample early (the first frame wraps round to the last sample), no epsilon anywhere, the
last frame dropped. Values differ by up to 6e-4, so that the two must not share a column.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sqbench.metrics import polyphase
from sqbench.metrics.base import Metric, Pair, Samples, Undefined
from sqbench.metrics.protocol import STRICT

RATE = 10_000
FRAME = 256
HOP = FRAME // 2
N_FFT = 512
SEGMENT = 30
RANGE_DB = 40.0
CLIP = 1.0 + 10 ** (15 / 20)
BAND_EDGES = (7, 9, 11, 14, 17, 22, 27, 34, 43, 55, 69, 87, 109, 138, 174, 219)
"""First FFT bin of each of the 15 third-octave bands from 150 Hz, and one past the last."""

_BLOCK = 128  # frames or segments worked on at once: bounds memory, and stays in cache


class STOI(Metric):
    """Intelligibility, about 0..1; the mean of correlations, so that it may be negative."""

    name = "stoi"
    version = 1
    direction = "higher"
    bounds = (-1.0, 1.0)
    categories = ("speech",)

    def measure(self, pair: Pair) -> float:
        """See `Metric.measure`."""
        if pair.protocol == STRICT and pair.estimate_rate != pair.sample_rate:
            raise Undefined(
                f"the official script fails (NameError: it resamples with librosa, which it does "
                f"not import) where the rates differ ({pair.estimate_rate} and "
                f"{pair.sample_rate} Hz)"
            )
        return stoi(pair.reference, pair.estimate, pair.sample_rate)


def stoi(reference: Samples, estimate: Samples, rate: int) -> float:
    """STOI of float64 ``[T]`` against float64 ``[T]`` at ``rate`` Hz.

    Raises:
        Undefined: too short, silent, or a band of the estimate is zero over a whole segment.
    """
    x, y = (polyphase.resample(samples, rate, RATE) for samples in (reference, estimate))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, FRAME + 1) / (FRAME + 1))
    kept = _loud_frames(x, window)
    if kept.size - 1 < SEGMENT:
        raise Undefined(
            f"{max(0, kept.size - 1)} frames are left without the silence, and a segment has "
            f"{SEGMENT} (official: NaN)"
        )
    return _correlate(*(_bands(_compact(samples, kept, window), window) for samples in (x, y)))


def _halves(samples: Samples) -> NDArray[np.float64]:
    """Whole hops ``[hops, 128]``; frame j is rows j and j + 1."""
    hops = samples.shape[0] // HOP
    return samples[: hops * HOP].reshape(hops, HOP)


def _loud_frames(x: Samples, window: NDArray[np.float64]) -> NDArray[np.intp]:
    """Indices of the frames of the reference within 40 dB of its loudest."""
    # Frames start strictly below T - 256, so that one that just fits is left out.
    count = max(0, -(-(x.shape[0] - FRAME) // HOP))
    if count == 0:
        raise Undefined(
            f"{x.shape[0]} samples at 10 kHz are not a frame (more than {FRAME} are needed; "
            "official: ValueError)"
        )
    early = np.square(_halves(np.concatenate([x[-1:], x[:-1]])))
    weights = np.square(window).reshape(2, HOP)
    first, second = (np.einsum("jk,k->j", early, w) for w in weights)
    energy = first[:count] + second[1 : count + 1]
    if not energy.any():
        raise Undefined("the reference is silent (official: UnboundLocalError)")
    with np.errstate(divide="ignore"):
        level = 20 * np.log10(np.sqrt(energy) / np.sqrt(FRAME))
    return np.flatnonzero(level - level.max() + RANGE_DB > 0)


def _compact(
    samples: Samples, kept: NDArray[np.intp], window: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The kept frames overlap-added one after the other, as hops ``[K + 1, 128]``."""
    halves = _halves(samples)
    out = np.zeros((kept.size + 1, HOP))
    np.multiply(halves[kept], window[:HOP], out=out[:-1])
    out[1:] += halves[kept + 1] * window[HOP:]
    return out


def _bands(halves: NDArray[np.float64], window: NDArray[np.float64]) -> NDArray[np.float64]:
    """Third-octave magnitudes ``[15, K - 1]`` of hops ``[K + 1, 128]``."""
    from scipy import fft

    count = halves.shape[0] - 2
    low, high = BAND_EDGES[0], BAND_EDGES[-1]
    starts = 2 * (np.array(BAND_EDGES[:-1]) - low)
    out = np.empty((starts.size, count))
    padded = np.zeros((min(_BLOCK, count), N_FFT))
    for begin in range(0, count, _BLOCK):
        end = min(count, begin + _BLOCK)
        frames = padded[: end - begin]
        np.multiply(halves[begin:end], window[:HOP], out=frames[:, :HOP])
        np.multiply(halves[begin + 1 : end + 1], window[HOP:], out=frames[:, HOP:FRAME])
        # Real and imaginary parts side by side: their squares are summed over a band alike.
        parts = fft.rfft(frames, axis=-1)[:, low:high].view(np.float64)
        out[:, begin:end] = np.sqrt(np.add.reduceat(np.square(parts), starts, axis=1)).T
    return out


def _correlate(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The mean correlation of 30-frame segments, of ``[15, frames]`` against ``[15, frames]``."""
    # The frame within a segment comes first, so that sums run over whole rows: [30, 15, segments].
    views = [
        np.lib.stride_tricks.sliding_window_view(bands, SEGMENT, axis=1).transpose(2, 0, 1)
        for bands in (x, y, x * CLIP)
    ]
    segments = views[0].shape[2]
    total = 0.0
    for begin in range(0, segments, _BLOCK):
        xs, ys, most = (view[..., begin : begin + _BLOCK] for view in views)
        with np.errstate(divide="ignore", invalid="ignore"):
            ys = ys * np.sqrt(_products(xs, xs) / _products(ys, ys))
            np.minimum(ys, most, out=ys)
            xs = xs - np.mean(xs, axis=0)
            ys -= np.mean(ys, axis=0)
            energy = _products(ys, ys)
            if not np.isfinite(energy).all():
                raise Undefined(
                    "the estimate is exactly zero in a band over a whole segment of "
                    f"{SEGMENT} frames (official: ValueError)"
                )
            norms = np.sqrt(_products(xs, xs) * energy)
            total += float(np.sum(_products(xs, ys) / norms))
    score = total / ((len(BAND_EDGES) - 1) * float(segments))
    if not np.isfinite(score):
        raise Undefined("a band of a whole segment does not change (official: NaN)")
    return score


def _products(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of products over the first axis, without an array of them."""
    return np.asarray(np.einsum("kbs,kbs->bs", a, b))
