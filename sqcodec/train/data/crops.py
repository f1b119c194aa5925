"""From drawn crops to a batch of audio: read, level, mix, change speed and band, gain.

On a GPU the whole corpus lies in its memory and all of this runs there; on a CPU a thread prepares
the next batches while the current one trains.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
import torchaudio
from torch import Tensor
from torch.nn import functional as F

from sqcodec.train.data.corpus import Corpus
from sqcodec.train.data.sampler import Crop, Part

LEVEL = 0.75
FLOOR = 0.01
"""Crops whose loudest samples are below keep their level: raising them would teach noise."""
_TRANSITION = 0.02  # of the Nyquist frequency
_AHEAD = 2
RESIDENT_SHARE = 0.5
"""A corpus is kept in a GPU's memory if it takes no more than this share of what is free."""


class Loader:
    """Makes batches ``[B, T]`` of a corpus on a device.

    Args:
        corpus: the audio.
        length: samples a crop.
        device: where batches are wanted.
        normalise: bring crops to the recipe's level.
    """

    def __init__(self, corpus: Corpus, length: int, device: torch.device, normalise: bool) -> None:
        self.length, self.device, self.normalise = length, device, normalise
        self._mapped = corpus.samples
        self._resident: Tensor | None = None
        if device.type == "cuda" and isinstance(corpus.samples, np.ndarray):
            free, _ = torch.cuda.mem_get_info(device)
            if corpus.samples.nbytes <= RESIDENT_SHARE * free:
                self._resident = torch.from_numpy(np.array(corpus.samples)).to(device)

    def load(self, crops: Sequence[Crop]) -> Tensor:
        """The crops as a batch; those of equal treatment are worked on together."""
        out = torch.zeros(len(crops), self.length, device=self.device)
        for speed in sorted({crop.speed for crop in crops}):
            rows = [i for i, crop in enumerate(crops) if crop.speed == speed]
            longest = -(-self.length * speed[1] // speed[0])
            audio = self._read([crops[i].part for i in rows], longest)
            if speed != (1, 1):
                new, old = speed
                audio = torchaudio.functional.resample(audio, old, new)[:, : self.length]
            out[rows] = self._levelled(audio)
        rows = [i for i, crop in enumerate(crops) if crop.other is not None]
        if rows:
            others = self._read([part for crop in crops if (part := crop.other)], self.length)
            gains = torch.tensor([crops[i].other_gain for i in rows], device=self.device)
            out[rows] += self._levelled(others) * gains[:, None]
        rows = [i for i, crop in enumerate(crops) if crop.cutoff < 1.0]
        if rows:
            out[rows] = low_pass(out[rows], [crops[i].cutoff for i in rows])
        out *= torch.tensor([crop.gain for crop in crops], device=self.device)[:, None]
        return out.clamp_(-1.0, 1.0)

    def _read(self, parts: Sequence[Part], length: int) -> Tensor:
        if self._resident is not None:
            stretches = [self._resident[p.start : p.start + p.length] for p in parts]
            return torch.stack([F.pad(s, (0, length - len(s))) for s in stretches]) / 32768.0
        rows = np.zeros((len(parts), length), np.float32)
        wanted = [slice(part.start, part.start + part.length) for part in parts]
        if isinstance(self._mapped, np.ndarray):
            found = [self._mapped[stretch] for stretch in wanted]
        else:  # decoded now (`sqcodec.train.data.stream`)
            found = self._mapped.many(wanted)
        for row, samples in zip(rows, found, strict=True):
            row[: len(samples)] = samples
        return torch.from_numpy(rows).to(self.device) / 32768.0

    def _levelled(self, audio: Tensor) -> Tensor:
        return level(audio) if self.normalise else audio


def level(audio: Tensor) -> Tensor:
    """The recipe's level: the mean of the loudest 0.1 % of samples of ``[B, T]`` becomes 0.75."""
    count = max(1, audio.shape[1] // 1000)
    loudest = audio.abs().topk(count, dim=1).values.mean(1, keepdim=True)
    return torch.where(loudest < FLOOR, audio, audio * (LEVEL / loudest.clamp_min(FLOOR)))


def low_pass(audio: Tensor, cutoffs: Sequence[float]) -> Tensor:
    """Each of ``[B, T]`` without its band above a share of it, by a smooth edge in frequency."""
    spectrum = torch.fft.rfft(audio)
    band = torch.linspace(0.0, 1.0, spectrum.shape[1], device=audio.device)
    edges = torch.tensor(cutoffs, device=audio.device)[:, None]
    kept = spectrum * torch.sigmoid((edges - band) * (4 / _TRANSITION))
    filtered: Tensor = torch.fft.irfft(kept, audio.shape[1])
    return filtered


class Prefetcher:
    """Batches one after the other, the next ones prepared in a thread.

    Attributes:
        waited_s: seconds that `next` has waited in all.

    Args:
        make: the batch of an index; called in order, in one thread.
        first: index of the first batch.
    """

    def __init__(self, make: Callable[[int], Tensor], first: int) -> None:
        self._make, self._next = make, first
        self._pool = ThreadPoolExecutor(1)
        self._running: list[Future[Tensor]] = []
        self.waited_s = 0.0

    def __iter__(self) -> Iterator[Tensor]:
        return self

    def __next__(self) -> Tensor:
        while len(self._running) < 1 + _AHEAD:
            self._running.append(self._pool.submit(self._make, self._next))
            self._next += 1
        start = time.perf_counter()
        batch = self._running.pop(0).result()
        self.waited_s += time.perf_counter() - start
        return batch

    def close(self) -> None:
        """Stop the thread."""
        self._pool.shutdown(cancel_futures=True)
