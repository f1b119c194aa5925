"""DNSMOS: opinions of speech that need no reference, by Microsoft's networks.

P.835 (Reddy et al., "DNSMOS P.835", 2022): signal, background and overall; P.808 (Reddy et al.,
"DNSMOS", 2021): overall. The networks are those that the package `speechmos` carries, run by
onnxruntime on one thread; what the package does around them (windows, features, polynomials) is
done here, as it imports librosa and refuses less than it should.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sqbench.metrics.base import Metric, Pair, Samples
from sqbench.metrics.mel import filterbank
from sqbench.metrics.perceptual.guards import require_length, require_scale, require_sound
from sqbench.metrics.perceptual.per_pair import at_rate, per_pair
from sqbench.metrics.perceptual.weights import PackageFile, identity_of

RATE = 16_000
WINDOW = 144_160
"""Samples of a window, 9.01 s: a shorter clip is repeated until it fills one."""
SHORTEST_S = 1.0

P835 = PackageFile("speechmos", "speechmos", "dnsmos_models/sig_bak_ovr.onnx")
P808 = PackageFile("speechmos", "speechmos", "dnsmos_models/model_v8.onnx")

POLYNOMIALS = (
    (-0.08397278, 1.22083953, 0.0052439),
    (-0.13166888, 1.60915514, -0.39604546),
    (-0.06766283, 1.11546468, 0.04602535),
)
"""From the network's signal, background and overall to opinions; highest power first."""

N_FFT, HOP, MELS = 321, 160, 120
_FLOOR, _RANGE_DB = 1e-10, 80.0


class _DNSMOS(Metric):
    version = 1
    direction = "higher"
    bounds = (None, None)  # a polynomial of what a network says
    categories = ("speech",)
    weights: ClassVar[PackageFile] = P835

    @property
    def identity(self) -> str:
        return identity_of(self, self.weights)


class DNSMOSSignal(_DNSMOS):
    """P.835, quality of the speech itself, 1 to 5; of the estimate alone, at 16 kHz."""

    name = "dnsmos-sig"

    def measure(self, pair: Pair) -> float:
        """See `Metric.measure`."""
        return p835(pair)[0]


class DNSMOSBackground(_DNSMOS):
    """P.835, how little the background intrudes, 1 to 5; of the estimate alone, at 16 kHz."""

    name = "dnsmos-bak"

    def measure(self, pair: Pair) -> float:
        """See `Metric.measure`."""
        return p835(pair)[1]


class DNSMOSOverall(_DNSMOS):
    """P.835, overall, 1 to 5; of the estimate alone, at 16 kHz."""

    name = "dnsmos-ovrl"

    def measure(self, pair: Pair) -> float:
        """See `Metric.measure`."""
        return p835(pair)[2]


class DNSMOSP808(_DNSMOS):
    """P.808, overall, 1 to 5; of the estimate alone, at 16 kHz."""

    name = "dnsmos-p808"
    weights = P808

    def measure(self, pair: Pair) -> float:
        """See `Metric.measure`."""
        return p808(pair)


@per_pair
def p835(pair: Pair) -> tuple[float, float, float]:
    """Signal, background and overall: means over windows.

    Raises:
        Undefined: the estimate is silent, under a second, or beyond full scale.
    """
    session = _session(P835)
    raw = [
        session.run(None, {"input_1": window[None].astype(np.float32)})[0][0]
        for window in windows(_sound(pair))
    ]
    signal, background, overall = (
        float(np.mean([np.polyval(np.array(factors), each[i]) for each in raw]))
        for i, factors in enumerate(POLYNOMIALS)
    )
    return signal, background, overall


@per_pair
def p808(pair: Pair) -> float:
    """Mean over windows.

    Raises:
        Undefined: the estimate is silent, under a second, or beyond full scale.
    """
    session = _session(P808)
    values = [
        session.run(None, {"input_1": levels(window[:-HOP])[None].astype(np.float32)})[0][0][0]
        for window in windows(_sound(pair))
    ]
    return float(np.mean(values))


def _sound(pair: Pair) -> Samples:
    """The estimate at 16 kHz.

    Full scale is asked of it as it came: what resampling adds to a peak is no fault of a codec.
    """
    require_sound(pair.estimate, "estimate")
    require_length(pair.estimate, pair.sample_rate, SHORTEST_S, "as a shorter clip is repeated")
    require_scale(pair.estimate, "estimate")
    return at_rate(pair, "estimate", RATE)


def windows(samples: Samples) -> Iterator[Samples]:
    """Windows of 9.01 s, a second apart; a clip that fills none is doubled until it does."""
    while samples.shape[0] < WINDOW:
        samples = np.concatenate([samples, samples])
    count = int(samples.shape[0] // RATE - WINDOW / RATE) + 1
    for start in range(0, count * RATE, RATE):
        window = samples[start : start + WINDOW]
        if window.shape[0] == WINDOW:
            yield window


def levels(samples: Samples) -> NDArray[np.float64]:
    """Mel levels ``[frames, 120]`` of ``[T]``, from -1 (80 dB below the peak) to 1."""
    padded = np.pad(samples, N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    power = np.square(np.abs(np.fft.rfft(frames * hann, axis=1)))
    mels = power @ filterbank(RATE, N_FFT, MELS).T.astype(np.float64)
    level = 10.0 * np.log10(np.maximum(_FLOOR, mels))
    level -= 10.0 * np.log10(max(_FLOOR, float(mels.max())))
    return np.asarray((np.maximum(level, level.max() - _RANGE_DB) + 40.0) / 40.0)


@lru_cache(maxsize=2)
def _session(weights: PackageFile) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(weights.read(), options, providers=["CPUExecutionProvider"])
