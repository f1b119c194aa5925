"""Resemblyzer's speaker encoder without torch: front end, network and a reader of its weights.

Generalised end-to-end loss (Wan et al. 2018): windows of 1.6 s at 1.3 a second, mel energies (no
logarithm) of 40 bands, three LSTM layers of 256, a linear layer.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sqbench.errors import InputError
from sqbench.metrics.mel import filterbank
from sqbench.metrics.perceptual.weights import PackageFile

Waveform = NDArray[np.float32]
"""Mono samples ``[T]`` at 16 kHz, full scale at 1.0."""

RATE, N_FFT, HOP, MELS = 16_000, 400, 160, 40
FRAMES = 160
"""Of a window."""
STEP = 77
"""Frames between windows: 1.3 of them a second."""
COVERAGE = 0.75
"""How much of the last window must be audio."""
LEVEL_DBFS = -30.0
UNITS, LAYERS = 256, 3

WEIGHTS = PackageFile("Resemblyzer", "resemblyzer", "pretrained.pt")


def embed(waveform: Waveform) -> NDArray[np.float32]:
    """``[256]``, of length one: the mean over windows."""
    network = load(WEIGHTS)
    each = network(windows(raised(waveform)))
    mean = each.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), dtype=np.float32)


def raised(waveform: Waveform) -> Waveform:
    """A quiet waveform at -30 dBFS (RMS); a louder or silent one as it is."""
    rms = float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))) if len(waveform) else 0.0
    if rms == 0.0:
        return waveform
    gain_db = LEVEL_DBFS - 20 * np.log10(rms)
    return (waveform * 10 ** (gain_db / 20)).astype(np.float32) if gain_db > 0 else waveform


def windows(waveform: Waveform) -> NDArray[np.float32]:
    """Mel energies ``[windows, 160, 40]``, zeros beyond the end of the waveform."""
    length = len(waveform)
    frames = -(-(length + 1) // HOP)
    starts = list(range(0, max(1, frames - FRAMES + STEP + 1), STEP))
    if len(starts) > 1 and (length - starts[-1] * HOP) / (FRAMES * HOP) < COVERAGE:
        starts.pop()
    end = (starts[-1] + FRAMES) * HOP
    mel = energies(np.pad(waveform, (0, max(0, end - length))))
    return np.stack([mel[start : start + FRAMES] for start in starts])


def energies(waveform: Waveform) -> NDArray[np.float32]:
    """Mel energies ``[frames, 40]``: periodic Hann of 25 ms, every 10 ms, zeros at the ends."""
    padded = np.pad(waveform, N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    power = np.abs(np.fft.rfft(frames * hann, axis=1)) ** 2
    return np.asarray(power @ filterbank(RATE, N_FFT, MELS).T, dtype=np.float32)


@dataclass(frozen=True)
class Network:
    """The encoder's arrays, by their names in the file."""

    state: dict[str, NDArray[np.float32]]

    def __call__(self, mels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings ``[windows, 256]`` of length one, of mel energies ``[windows, 160, 40]``."""
        sequence = mels
        for layer in range(LAYERS):
            sequence = self._lstm(sequence, layer)
        state = self.state
        each = np.maximum(sequence[:, -1] @ state["linear.weight"].T + state["linear.bias"], 0)
        length = np.linalg.norm(each, axis=1, keepdims=True)
        return np.asarray(each / np.maximum(length, 1e-12), dtype=np.float32)

    def _lstm(self, sequence: NDArray[np.float32], layer: int) -> NDArray[np.float32]:
        """All hidden states ``[windows, frames, 256]``."""
        from scipy.special import expit

        state = self.state
        bias = state[f"lstm.bias_ih_l{layer}"] + state[f"lstm.bias_hh_l{layer}"]
        inputs = sequence @ state[f"lstm.weight_ih_l{layer}"].T + bias
        recurrent = np.ascontiguousarray(state[f"lstm.weight_hh_l{layer}"].T)
        hidden = np.zeros((sequence.shape[0], UNITS), dtype=np.float32)
        cell = np.zeros_like(hidden)
        found = np.empty((*sequence.shape[:2], UNITS), dtype=np.float32)
        for frame in range(sequence.shape[1]):
            gates = inputs[:, frame] + hidden @ recurrent
            enter, keep, candidate, leave = np.split(gates, 4, axis=1)
            cell = expit(keep) * cell + expit(enter) * np.tanh(candidate)
            hidden = expit(leave) * np.tanh(cell)
            found[:, frame] = hidden
        return found


@lru_cache(maxsize=1)
def load(weights: PackageFile) -> Network:
    """The network of a file.

    Raises:
        InputError: it is not what Resemblyzer 0.1 carries.
    """
    try:
        saved = read_legacy(weights.read())["model_state"]
        state = {name: array for name, array in saved.items() if name[:5] in ("lstm.", "linea")}
        found = {name: array.shape for name, array in state.items()}
        if found.get("linear.weight") != (UNITS, UNITS) or len(found) != 4 * LAYERS + 2:
            raise ValueError(f"arrays {found}")
    except (KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(
            str(weights.locate()),
            expected="weights of Resemblyzer",
            found=f"{type(error).__name__}: {str(error).splitlines()[0]}",
        ) from error
    return Network(state)


def read_legacy(content: bytes) -> Any:
    """What ``torch.save`` of before version 1.6 wrote, tensors as arrays.

    Pickles of a magic number, a version, the machine and the object, in which storages are named;
    then their names in order, and each one's count of elements and bytes.

    Raises:
        ValueError, pickle.UnpicklingError: it is something else, or asks for code.
    """
    stream = io.BytesIO(content)
    if pickle.load(stream) != 0x1950A86A20F9469CFC6C:
        raise ValueError("no file of torch.save's first form")
    pickle.load(stream), pickle.load(stream)
    reader = _Reader(stream)
    saved = reader.load()
    for key in pickle.load(stream):
        count = int(np.frombuffer(stream.read(8), "<i8")[0])
        storage = reader.storages[key]
        storage[:] = np.frombuffer(stream.read(count * storage.itemsize), storage.dtype)
    return saved


class _Reader(pickle.Unpickler):
    """Builds ordered dictionaries and tensors, and refuses all else."""

    TYPES: ClassVar[dict[str, str]] = {
        "FloatStorage": "<f4",
        "DoubleStorage": "<f8",
        "LongStorage": "<i8",
    }

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.storages: dict[str, NDArray[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _view
        if module == "torch" and name in self.TYPES:
            return name
        raise pickle.UnpicklingError(f"asks for {module}.{name}")

    def persistent_load(self, found: Any) -> NDArray[Any]:
        _, kind, key, _, count, _ = found
        if key not in self.storages:
            self.storages[key] = np.empty(count, self.TYPES[kind])
        return self.storages[key]


def _view(
    storage: NDArray[Any], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> NDArray[Any]:
    return np.lib.stride_tricks.as_strided(
        storage[offset:], shape, [step * storage.itemsize for step in strides]
    )
