"""ViSQOL 3: mean opinion scores from the similarity of gammatone spectrograms.

Chinen et al., "ViSQOL v3: an open source production ready objective speech and audio metric",
2020. Mappings from similarity to a score are those that the package `visqol-python` carries: a
support vector regression for audio at 48 kHz, a lattice network for speech at 16 kHz. Only these
are taken from it; the rest is computed here, equal to the package to 1e-6, three times as fast,
and without its just-in-time compiler (docs/perceptual.md).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sqbench.metrics.base import Metric, Pair
from sqbench.metrics.perceptual.guards import require_signal
from sqbench.metrics.perceptual.per_pair import at_rate
from sqbench.metrics.perceptual.visqol_features import AUDIO, SPEECH, Features, Mode, features
from sqbench.metrics.perceptual.weights import PackageFile, identity_of

Array = NDArray[np.float64]
Mapper = Callable[["Features"], float]

SVR = PackageFile(
    "visqol-python", "visqol", "model/libsvm_nu_svr_model.txt",
)  # fmt: skip
LATTICE = PackageFile(
    "visqol-python", "visqol",
    "model/lattice_tcditugenmeetpackhref_ls2_nl60_lr12_bs2048_learn.005_ep2400_train1_7_raw.tflite",
)  # fmt: skip

UNLIKE = 0.15
"""A mean similarity below it is the lowest score."""


class ViSQOL(Metric):
    """MOS-LQO by ViSQOL in audio mode: both sides at 48 kHz, support vector regression.

    Equal signals score 4.73. Level does not matter.
    """

    name = "visqol"
    version = 1
    direction = "higher"
    bounds = (1.0, 5.0)
    mode: ClassVar[Mode] = AUDIO
    mapper: ClassVar[str] = "nu-svr"
    weights: ClassVar[PackageFile] = SVR

    @property
    def identity(self) -> str:
        return identity_of(self, self.mapper, self.weights)

    def measure(self, pair: Pair) -> float:
        """See `Metric.measure`."""
        require_signal(pair)
        found = features(
            at_rate(pair, "reference", self.mode.rate),
            at_rate(pair, "estimate", self.mode.rate),
            self.mode,
        )
        if float(np.mean(found.mean)) < UNLIKE:
            return 1.0
        return self.predict(found)

    def predict(self, found: Features) -> float:
        """The score of features."""
        return float(np.clip(_regression(self.weights)(found.mean), *self.bounds))


class ViSQOLSpeech(ViSQOL):
    """MOS-LQO by ViSQOL in speech mode: both sides at 16 kHz, lattice network.

    Equal signals score about 4.6. The package's other mapping, a polynomial, is up to two points
    above the lattice and is not offered.
    """

    name = "visqol-speech"
    categories = ("speech",)
    mode = SPEECH
    mapper = "lattice"
    weights = LATTICE

    def predict(self, found: Features) -> float:
        return _lattice(self.weights)(found)


@lru_cache(maxsize=2)
def _regression(weights: PackageFile) -> Callable[[Array], float]:
    """A nu-SVR with radial basis functions, read from libsvm's text."""
    head, _, body = weights.read().decode().partition("SV\n")
    settings = dict(line.split(" ", 1) for line in head.splitlines())
    gamma, rho = float(settings["gamma"]), float(settings["rho"])
    rows = [line.split() for line in body.splitlines() if line]
    factors = np.array([float(row[0]) for row in rows])
    vectors = np.zeros((len(rows), AUDIO.bands))
    for vector, row in zip(vectors, rows, strict=True):
        for entry in row[1:]:
            index, _, value = entry.partition(":")
            vector[int(index) - 1] = float(value)

    def predict(x: Array) -> float:
        distances = np.square(vectors - x).sum(axis=1)
        return float(factors @ np.exp(-gamma * distances)) - rho

    return predict


@lru_cache(maxsize=2)
def _lattice(weights: PackageFile) -> Mapper:
    """The lattice network, by TensorFlow's runtime for small devices, on one thread."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=weights.read(), num_threads=1)
    interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner("predict")

    def predict(found: Features) -> float:
        named = {
            "fvnsim": found.mean,
            "fvnsim10_": found.low,
            "fstdnsim": found.deviation,
            "fvdegenergy": found.energy,
        }
        inputs = {
            f"{name}{band}": np.array([value], dtype=np.float32)
            for name, values in named.items()
            for band, value in enumerate(values)
        }
        found_scores = runner(**inputs, tau=np.array([0.5], dtype=np.float32))
        return float(found_scores["predictions"].ravel()[0])

    return predict
