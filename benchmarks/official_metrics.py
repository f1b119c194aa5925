"""The slow path that `benchmarks/metrics.py` compares with: the metrics as the challenge runs them.

A plain re-implementation of the shape of the official scripts: one process per metric, every
library imported whichever metric it is, file after file (so that four metrics read each file four
times), on the libraries' default threads. SDR is mir_eval's; MEL is float32 torch as audiotools
drives it, windows and filters kept from file to file; STOI loops over frames and segments; PESQ is
the ``pesq`` package. Run: ``python benchmarks/official_metrics.py METRIC REF_DIR EST_DIR``.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soundfile
import torch
from mir_eval.separation import bss_eval_sources
from numpy.typing import NDArray
from pesq import pesq as pesq_engine
from scipy import signal
from scipy.linalg import norm

Samples = NDArray[np.float64]

warnings.filterwarnings("ignore", category=FutureWarning)


def sdr(reference: Samples, estimate: Samples, rate: int) -> float:
    values = bss_eval_sources(reference[None], estimate[None], compute_permutation=False)
    return float(values[0][0])


@lru_cache
def _filters(rate: int, n_fft: int, n_mels: int) -> NDArray[np.float32]:
    return np.asarray(librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels))


@lru_cache
def _window(length: int) -> torch.Tensor:
    return torch.from_numpy(signal.get_window("hann", length)).float()


def _mel_spectrogram(samples: torch.Tensor, rate: int, n_fft: int, n_mels: int) -> torch.Tensor:
    stft = torch.stft(
        torch.nn.functional.pad(samples, (0, 0), "reflect"),  # a copy: audiotools may pad here
        n_fft=n_fft,
        hop_length=n_fft // 4,
        window=_window(n_fft),
        return_complex=True,
        center=True,
    )
    filters = torch.from_numpy(_filters(rate, n_fft, n_mels))
    return (torch.abs(stft).transpose(1, -1) @ filters.T).transpose(-1, 1)


def mel(reference: Samples, estimate: Samples, rate: int) -> float:
    distance = torch.nn.L1Loss()
    loss = torch.tensor(0.0)
    first, second = (torch.from_numpy(samples).float()[None] for samples in (reference, estimate))
    for n_fft, n_mels in ((2048, 150), (512, 80)):
        x = _mel_spectrogram(first, rate, n_fft, n_mels)
        y = _mel_spectrogram(second, rate, n_fft, n_mels)
        loss += distance(x.clamp(1e-5).pow(2.0).log10(), y.clamp(1e-5).pow(2.0).log10())
        loss += distance(x, y)
    return float(loss)


def _bands() -> NDArray[np.float64]:
    frequencies = np.linspace(0, 10000, 513)[:257]
    matrix = np.zeros((15, 257))
    for band, centre in enumerate(150 * 2 ** (np.arange(15) / 3)):
        low = np.argmin((frequencies - centre * 2 ** (-1 / 6)) ** 2)
        high = np.argmin((frequencies - centre * 2 ** (1 / 6)) ** 2)
        matrix[band, low:high] = 1
    return matrix


def _without_silence(x: Samples, y: Samples, window: Samples) -> tuple[Samples, Samples]:
    starts = np.arange(0, x.size - 256, 128)
    index = np.empty((starts.size, 256), dtype=int)
    for j, start in enumerate(starts):
        index[j] = np.arange(start - 1, start + 255)
    level = 20 * np.log10(norm(x[index] * window, axis=1) / 16)
    keep = level - np.max(level) + 40 > 0
    out_x, out_y = np.zeros(x.size), np.zeros(y.size)
    count = 0
    for j, start in enumerate(starts):
        if keep[j]:
            source = np.arange(start, start + 256)
            target = np.arange(starts[count], starts[count] + 256)
            out_x[target] += x[source] * window
            out_y[target] += y[source] * window
            count += 1
    length = starts[count - 1] + 256
    return out_x[:length], out_y[:length]


def _magnitudes(samples: Samples, window: Any, bands: Samples) -> Samples:
    frames = (samples.size - 256) // 128
    spectrum = signal.stft(
        samples,
        window=window,
        nperseg=256,
        noverlap=128,
        nfft=512,
        return_onesided=False,
        boundary=None,
    )[2]
    return np.asarray(np.sqrt(bands @ np.square(np.abs(spectrum[:257, :frames]))))


def _normalised(x: Samples) -> Samples:
    centred = x - np.mean(x, axis=1, keepdims=True)
    return np.asarray(centred / norm(centred, axis=1, keepdims=True))


def stoi(reference: Samples, estimate: Samples, rate: int) -> float:
    bands = _bands()
    window = signal.windows.hann(258)[1:257]
    x, y = (signal.resample_poly(s, 10000, rate) for s in (reference, estimate))
    x, y = _without_silence(x, y, window)
    x, y = (_magnitudes(s, window, bands) for s in (x, y))
    values = np.zeros(x.shape[1] - 29)
    for end in range(29, x.shape[1]):
        a, b = x[:, end - 29 : end + 1], y[:, end - 29 : end + 1]
        scale = np.sqrt(
            np.sum(np.square(a), axis=1, keepdims=True)
            / np.sum(np.square(b), axis=1, keepdims=True)
        )
        b = np.minimum(b * scale, a + a * 10 ** (15 / 20))
        values[end - 29] = np.trace(_normalised(a) @ _normalised(b).T) / 15
    return float(values.mean())


def pesq(reference: Samples, estimate: Samples, rate: int) -> float:
    return float(pesq_engine(16000, reference, estimate, mode="wb"))


METRICS: dict[str, Callable[[Samples, Samples, int], float]] = {
    "sdr": sdr,
    "mel": mel,
    "stoi": stoi,
    "pesq": pesq,
}


def load(reference: Path, estimate: Path) -> tuple[Samples, Samples, int]:
    """First channels at the reference's rate, cut to the shorter, and that rate."""
    first, rate = soundfile.read(reference)
    second, second_rate = soundfile.read(estimate)
    if second_rate != rate:
        second = librosa.resample(second, orig_sr=second_rate, target_sr=rate)
    length = min(first.shape[0], second.shape[0])
    first, second = (s if s.ndim == 1 else s[:, 0] for s in (first[:length], second[:length]))
    return first, second, rate


def main(metric: str, reference: str, estimate: str) -> None:
    scores = {}
    for path in sorted(Path(reference).glob("*.wav")):
        scores[path.name] = METRICS[metric](*load(path, Path(estimate) / path.name))
    print(json.dumps(scores))


if __name__ == "__main__":
    main(*sys.argv[1:])
