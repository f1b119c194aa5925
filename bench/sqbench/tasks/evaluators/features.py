"""Features of the probes: statistics of a clip's spectrum, its movement and its pitch.

Levels are in dB below the clip's loudest band, floored, so that what a codec leaves in an empty
band is no outlier; a silent clip has all features zero.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from sqbench.metrics.mel import filterbank

RATE = 16_000
N_FFT, HOP, MELS = 1024, 256, 48
FLOOR_DB = 60.0
"""How far below the loudest band energies are looked at."""
CEPSTRA = 20
_PITCH_HZ = (60.0, 500.0)
_MODULATION_HZ = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 31.0)

Array = NDArray[np.float64]


def features(waveform: NDArray[np.floating]) -> Array:
    """A vector ``[D]`` for ``[T]`` at 16 kHz."""
    x = np.asarray(waveform, np.float64)
    x = np.pad(x, (0, max(0, 4 * N_FFT - len(x))))
    frames = np.lib.stride_tricks.sliding_window_view(x, N_FFT)[::HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    mel = power @ filterbank(RATE, N_FFT, MELS).astype(np.float64).T
    top = mel.max()
    if top <= 0:
        return np.zeros(_SIZE)
    db = 10 * np.log10(np.maximum(mel / top, 10 ** (-FLOOR_DB / 10))) + FLOOR_DB
    return np.concatenate(
        [_cepstral(db), _bands(db), _modulation(db), _shape(power, db), _pitch(frames, db)]
    )


def _cepstral(db: Array) -> Array:
    from scipy.fft import dct

    cepstra = dct(db, axis=1, norm="ortho")[:, :CEPSTRA]
    first = _delta(cepstra)
    second = _delta(first)
    return np.concatenate([_moments(cepstra), _spread(first), _spread(second)])


def _bands(db: Array) -> Array:
    """Quantiles of every band: how much of the time it is loud."""
    return np.quantile(db, [0.1, 0.5, 0.9], axis=0).ravel()


def _modulation(db: Array) -> Array:
    """Movement of eight groups of bands by its frequency: syllables, knocks, ticks."""
    groups = db.reshape(len(db), 8, -1).mean(axis=2)
    groups = groups - groups.mean(axis=0)
    spectrum = np.abs(np.fft.rfft(groups, n=max(512, len(groups)), axis=0)) ** 2 / len(groups)
    hz = np.fft.rfftfreq(max(512, len(groups)), HOP / RATE)
    parts = [
        spectrum[(hz >= low) & (hz < high)].mean(axis=0)
        for low, high in itertools.pairwise(_MODULATION_HZ)
    ]
    return np.log1p(np.array(parts)).ravel()


def _shape(power: Array, db: Array) -> Array:
    """Centre, spread, flatness and flux of the spectrum, and how the level runs."""
    hz = np.linspace(0.0, 1.0, power.shape[1])
    total = power.sum(axis=1) + 1e-12 * power.max()
    centre = power @ hz / total
    spread = np.sqrt(np.maximum(power @ hz**2 / total - centre**2, 0))
    flat = np.exp(np.mean(np.log(power + 1e-9 * power.max()), axis=1)) / (total / len(hz))
    flux = np.abs(np.diff(db, axis=0, prepend=db[:1])).mean(axis=1)
    level = db.max(axis=1)
    rows = np.stack([centre, spread, flat, flux, level], axis=1)
    return np.concatenate(
        [_moments(rows), np.quantile(rows, [0.1, 0.9], axis=0).ravel(), _spread(_delta(rows))]
    )


def _pitch(frames: Array, db: Array) -> Array:
    """Pitch and how clearly there is one, by the normalised autocorrelation of loud frames."""
    low, high = (int(RATE / hz) for hz in reversed(_PITCH_HZ))
    centred = frames - frames.mean(axis=1, keepdims=True)
    spectrum = np.abs(np.fft.rfft(centred, 2 * N_FFT, axis=1)) ** 2
    correlation = np.fft.irfft(spectrum, axis=1)[:, : high + 1]
    # A lag leaves fewer samples: without the correction long periods look unclear.
    correlation *= N_FFT / (N_FFT - np.arange(high + 1))
    clear = correlation[:, low:] / np.maximum(correlation[:, :1], 1e-12)
    lag = np.argmax(clear, axis=1)
    strength = clear[np.arange(len(clear)), lag]
    octaves = np.log2(RATE / (lag + low) / 100.0)
    voiced = (strength > 0.5) & (db.max(axis=1) > FLOOR_DB - 35)
    statistics = np.zeros(8)
    statistics[0] = voiced.mean()
    statistics[1] = strength.mean()
    if voiced.sum() >= 3:
        pitch = octaves[voiced]
        statistics[2:7] = (pitch.mean(), pitch.std(), *np.quantile(pitch, [0.1, 0.5, 0.9]))
        statistics[7] = np.abs(np.diff(pitch)).mean()
    return statistics


def _moments(rows: Array) -> Array:
    return np.concatenate([rows.mean(axis=0), rows.std(axis=0)])


def _spread(rows: Array) -> Array:
    return rows.std(axis=0)


def _delta(rows: Array) -> Array:
    """Slope over five frames."""
    padded = np.pad(rows, ((2, 2), (0, 0)), mode="edge")
    return (2 * (padded[4:] - padded[:-4]) + (padded[3:-1] - padded[1:-3])) / 10


_SIZE = 4 * CEPSTRA + 3 * MELS + 8 * (len(_MODULATION_HZ) - 1) + 5 * 5 + 8
