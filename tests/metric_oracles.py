"""Slow, plain versions of the metrics, written from their definitions and not from our code."""

from __future__ import annotations

import math
import warnings

import numpy as np

from sqbench.metrics.base import Samples


def sdr_by_least_squares(reference: Samples, estimate: Samples, taps: int = 512) -> float:
    """SDR through the matrix of all delayed references: for short signals only."""
    n = reference.shape[0]
    delayed = np.zeros((n + taps - 1, taps))
    for lag in range(taps):
        delayed[lag : lag + n, lag] = reference
    target = np.concatenate([estimate, np.zeros(taps - 1)])
    h = np.linalg.lstsq(delayed, target)[0]
    projection = delayed @ h
    return float(10 * np.log10(np.sum(projection**2) / np.sum((target - projection) ** 2)))


def sdr_by_mir_eval(reference: Samples, estimate: Samples) -> float:
    from mir_eval.separation import bss_eval_sources

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = bss_eval_sources(reference[None], estimate[None], compute_permutation=False)
    return float(values[0][0])


def mel_by_librosa(reference: Samples, estimate: Samples, rate: int) -> float:
    import librosa

    total = 0.0
    for n_fft, n_mels in ((2048, 150), (512, 80)):
        bank = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels)
        a, b = (
            bank
            @ np.abs(
                librosa.stft(
                    x.astype(np.float32), n_fft=n_fft, hop_length=n_fft // 4, pad_mode="reflect"
                )
            )
            for x in (reference, estimate)
        )
        logs = [np.log10(np.maximum(m.astype(np.float64), 1e-5) ** 2) for m in (a, b)]
        total += float(np.mean(np.abs(logs[0] - logs[1])) + np.mean(np.abs(a - b)))
    return total


def stoi_by_steps(reference: Samples, estimate: Samples, rate: int) -> float:
    """The challenge's STOI, one frame, one band and one segment at a time."""
    from scipy.signal import resample_poly
    from scipy.signal.windows import hann

    x, y = reference, estimate
    if rate != 10000:
        x, y = resample_poly(x, 10000, rate), resample_poly(y, 10000, rate)
    window = hann(258)[1:-1]
    levels = []
    for start in range(0, len(x) - 256, 128):
        frame = np.array([x[start - 1 + i] for i in range(256)])  # x[-1] is the last sample
        norm = math.sqrt(float(np.sum((frame * window) ** 2)))
        levels.append(20 * math.log10(norm / 16) if norm else -math.inf)
    kept = [128 * j for j, level in enumerate(levels) if level - max(levels) + 40 > 0]
    spectra = []
    for signal in (x, y):
        joined = np.zeros(128 * (len(kept) - 1) + 256)
        for place, start in enumerate(kept):
            joined[128 * place : 128 * place + 256] += signal[start : start + 256] * window
        spectra.append(
            [
                np.abs(np.fft.fft(joined[128 * j : 128 * j + 256] * window, 512)) ** 2
                for j in range(len(kept) - 1)
            ]
        )
    frequencies = np.arange(257) * 10000 / 512
    values = []
    bands = []
    for k in range(15):
        centre = 150 * 2 ** (k / 3)
        low, high = (
            int(np.argmin(np.abs(frequencies - centre * 2 ** (sign / 6)))) for sign in (-1, 1)
        )
        bands.append([np.sqrt([np.sum(s[low:high]) for s in side]) for side in spectra])
    for end in range(30, len(kept)):
        total = 0.0
        for xs, ys in bands:
            a, b = xs[end - 30 : end], ys[end - 30 : end]
            b = b * math.sqrt(np.sum(a * a) / np.sum(b * b))
            b = np.minimum(b, a * (1 + 10 ** (15 / 20)))
            a, b = a - a.mean(), b - b.mean()
            total += float(np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b)))
        values.append(total / 15)
    return float(np.mean(values))
