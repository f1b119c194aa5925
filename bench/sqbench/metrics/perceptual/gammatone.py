"""ViSQOL's gammatone spectrogram, by transforms instead of recursions.

ViSQOL runs each windowed frame of 80 ms through a cascade of four recursive sections a band, from
rest, and takes the root of the mean energy of as many samples as went in. The energy of all that
comes out, ringing included, is a weighted sum of the frame's power spectrum; the ringing after the
frame is a linear map of rank eight (four complex poles) of its samples. Their difference is what
the recursion gives, but for rounding: one transform and two matrix products a frame instead of
32 x 4 recursions a sample. The filters are those of Slaney's "An Efficient Implementation of the
Patterson-Holdsworth Auditory Filter Bank" (Apple Technical Report 35, 1993), as ViSQOL has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sqbench.metrics.base import Samples

Spectrogram = NDArray[np.float64]
"""Root mean square ``[bands, frames]``, lowest band first."""

WINDOW_S = 0.08
HOPS = 4
"""Of a window."""
LOWEST_HZ = 50.0
EAR_Q, MIN_BANDWIDTH_HZ = 9.26449, 24.7

_FRAMES = 16  # transformed at once: bounds memory, and stays in cache
_NEGLIGIBLE = 1e-20  # of the frame's energy: far below what ViSQOL's noise floor lets through
_GONE = 60.0  # time constants after which a response has died away, e^-60


@dataclass(frozen=True)
class Filters:
    """What turns windowed frames into energies.

    Attributes:
        size: samples of a window.
        hop: samples between windows.
        window: ``[size]``.
        weights: ``[size + 1, bands]``, of the power spectrum of ``2 * size`` points.
        tails: by band, the first sample that its ringing depends on, and the map of the windowed
            samples from there on to the ringing's coordinates, ``[size - first, rank]``.
    """

    size: int
    hop: int
    window: NDArray[np.float64]
    weights: NDArray[np.float64]
    tails: tuple[tuple[int, NDArray[np.float64]], ...]


def spectrogram(samples: Samples, filters: Filters) -> Spectrogram:
    """Of ``[T]``, ``T`` above a window's size; ``1 + (T - size) // hop`` frames."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, filters.size)[:: filters.hop]
    energy = np.empty((frames.shape[0], filters.weights.shape[1]))
    for start in range(0, frames.shape[0], _FRAMES):
        block = slice(start, start + _FRAMES)
        energy[block] = _energies(frames[block] * filters.window, filters)
    return np.sqrt(np.maximum(energy, 0.0).T / filters.size)


def _energies(frames: NDArray[np.float64], filters: Filters) -> NDArray[np.float64]:
    """``[frames, bands]`` of windowed ``[frames, size]``."""
    from scipy import fft

    spectrum = fft.rfft(frames, 2 * filters.size, axis=1)
    energies: NDArray[np.float64] = (
        np.square(spectrum.real) + np.square(spectrum.imag)
    ) @ filters.weights
    for band, (first, tail) in enumerate(filters.tails):
        energies[:, band] -= np.sum(np.square(frames[:, first:] @ tail), axis=1)
    return energies


@lru_cache(maxsize=4)
def filters_for(rate: int, bands: int, highest_hz: float) -> Filters:
    """The filters of ``bands`` bands between 50 Hz and ``highest_hz``."""
    size = round(rate * WINDOW_S)
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / (size - 1))
    weights = np.empty((size + 1, bands))
    tails = []
    for band, hz in enumerate(centres(bands, highest_hz)[::-1]):
        sections, pole = _cascade(float(hz), rate)
        weights[:, band] = _weights(sections, pole, size)
        tails.append(_tail(sections, pole, window))
    return Filters(size, size // HOPS, window, weights, tuple(tails))


def centres(bands: int, highest_hz: float) -> NDArray[np.float64]:
    """Centre frequencies in Hz, evenly spaced on the scale of equivalent bandwidths, highest
    first; the lowest is 50 Hz."""
    offset = EAR_Q * MIN_BANDWIDTH_HZ
    step = (np.log(LOWEST_HZ + offset) - np.log(highest_hz + offset)) / bands
    return np.asarray(-offset + np.exp(np.arange(1, bands + 1) * step) * (highest_hz + offset))


def _cascade(hz: float, rate: int) -> tuple[NDArray[np.float64], complex]:
    """Second-order sections ``[4, 6]`` of a gammatone filter of unit gain, and their pole."""
    t = 1.0 / rate
    bandwidth = 1.019 * 2.0 * np.pi * (hz / EAR_Q + MIN_BANDWIDTH_HZ)
    angle, decay = 2.0 * np.pi * hz * t, np.exp(-bandwidth * t)
    inner, outer = np.sqrt(3.0 - 2.0**1.5), np.sqrt(3.0 + 2.0**1.5)
    slopes = np.array([outer, -outer, inner, -inner])
    zeros = -t * decay * (np.cos(angle) + slopes * np.sin(angle))
    z = np.exp(1j * angle)  # the gain at the centre frequency, of all four sections
    numerators = t + zeros / z
    denominator = (1.0 - decay) * (1.0 - decay / z**2)
    gain = float(np.abs(np.prod(numerators) / denominator**4))
    sections = np.zeros((4, 6))
    sections[:, 0], sections[:, 1] = t, zeros
    sections[:, 3], sections[:, 4], sections[:, 5] = 1.0, -2.0 * decay * np.cos(angle), decay**2
    sections[0, :3] /= gain
    return sections, complex(decay * z)


def _duration(pole: complex) -> int:
    """Samples after which a response is nothing, its growth by ``n^3`` at first included."""
    return 64 + int(_GONE / -np.log(abs(pole)))


def _weights(sections: NDArray[np.float64], pole: complex, size: int) -> NDArray[np.float64]:
    """What the power spectrum of a frame, zeros behind it, counts for in the energy that comes
    out: the transform of the response's autocorrelation at the lags that a frame has."""
    from scipy import fft, signal

    impulse = np.zeros(max(size, _duration(pole)))
    impulse[0] = 1.0
    points = fft.next_fast_len(2 * impulse.shape[0], real=True)
    response = fft.rfft(signal.sosfilt(sections, impulse), points)
    lags = fft.irfft(np.square(np.abs(response)), points)[:size]
    around = np.concatenate([lags, [0.0], lags[:0:-1]])
    weights = np.asarray(fft.rfft(around).real) / (2 * size)
    weights[1:-1] *= 2.0  # negative frequencies
    return weights


def _tail(
    sections: NDArray[np.float64], pole: complex, window: NDArray[np.float64]
) -> tuple[int, NDArray[np.float64]]:
    """A map of a windowed frame whose output has the energy of the ringing after the frame.

    Only the inputs' parts along ``n^k pole^n`` (n samples before the end, k = 0..3) ring.
    """
    from scipy import linalg, signal

    size = window.shape[0]
    ago = np.arange(size, 0, -1)
    modes = (ago / size) ** np.arange(4)[:, None] * np.exp(np.log(pole) * ago)
    space, _ = linalg.qr(np.vstack([modes.real, modes.imag]).T, mode="economic")
    extended = np.vstack([space, np.zeros((_duration(pole), space.shape[1]))])
    ringing = signal.sosfilt(sections, extended, axis=0)[size:]
    coordinates = linalg.qr(ringing, mode="r")[0][: space.shape[1]]
    # Seen through the window, some directions and the frame's beginning carry nothing.
    seen = (space @ coordinates.T) * window[:, None]
    _, strengths, directions = linalg.svd(seen, full_matrices=False)
    kept = directions[np.square(strengths) > _NEGLIGIBLE]
    tail = space @ (coordinates.T @ kept.T)
    reach = np.cumsum(np.square(tail * window[:, None]).sum(axis=1))
    first = int(np.searchsorted(reach, _NEGLIGIBLE))
    return first, np.ascontiguousarray(tail[first:])
