"""Speaker similarity: the cosine between embeddings of the original and the decoded voice.

`spk-sim` is by Resemblyzer's encoder, which its package carries and which needs no torch.
`spk-sim-ecapa` (SpeechBrain) and `spk-sim-wavlm` (the measure of most papers since 2023) have
weights on the hub and need torch in this metric's workers. Cosines of different encoders do not
compare.
"""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sqbench.metrics.base import Metric, Pair
from sqbench.metrics.perceptual import voice_encoder
from sqbench.metrics.perceptual.guards import require_length, require_signal
from sqbench.metrics.perceptual.per_pair import at_rate
from sqbench.metrics.perceptual.weights import HubFiles, identity_of

RATE = 16_000
SHORTEST_S = 1.0


class _SpeakerSimilarity(Metric):
    version = 1
    direction = "higher"
    bounds = (-1.0, 1.0)
    categories = ("speech",)

    def measure(self, pair: Pair) -> float:
        """The cosine; see `Metric.measure`."""
        require_signal(pair)
        require_length(pair.reference, pair.sample_rate, SHORTEST_S, "for a voice to be known by")
        first, second = (
            self.embed(at_rate(pair, side, RATE).astype(np.float32))
            for side in ("reference", "estimate")
        )
        cosine = first @ second / (np.linalg.norm(first) * np.linalg.norm(second))
        return float(np.clip(cosine, -1.0, 1.0))

    @abstractmethod
    def embed(self, waveform: NDArray[np.float32]) -> NDArray[np.float64]:
        """``[D]`` of ``[T]`` at 16 kHz."""


class SpeakerSimilarity(_SpeakerSimilarity):
    """By Resemblyzer's encoder, both sides at 16 kHz."""

    name = "spk-sim"

    @property
    def identity(self) -> str:
        return identity_of(self, voice_encoder.WEIGHTS)

    def embed(self, waveform: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `_SpeakerSimilarity.embed`."""
        return voice_encoder.embed(waveform).astype(np.float64)


class EcapaSimilarity(_SpeakerSimilarity):
    """By SpeechBrain's ECAPA-TDNN, both sides at 16 kHz."""

    name = "spk-sim-ecapa"
    weights: ClassVar[HubFiles] = HubFiles(
        "speechbrain/spkrec-ecapa-voxceleb",
        (
            "hyperparams.yaml",
            "embedding_model.ckpt",
            "mean_var_norm_emb.ckpt",
            "classifier.ckpt",
            "label_encoder.txt",
        ),
    )

    @property
    def identity(self) -> str:
        return identity_of(self, f"speechbrain:{metadata.version('speechbrain')}", self.weights)

    def embed(self, waveform: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `_SpeakerSimilarity.embed`."""
        import torch

        model = _ecapa(self.weights.locate()[0].parent)
        with torch.inference_mode():
            found = model.encode_batch(torch.from_numpy(waveform)[None])
        return np.asarray(found[0, 0].numpy(), np.float64)


class WavLMSimilarity(_SpeakerSimilarity):
    """By WavLM-base-plus with its head for speaker verification, both sides at 16 kHz."""

    name = "spk-sim-wavlm"
    weights: ClassVar[HubFiles] = HubFiles(
        "microsoft/wavlm-base-plus-sv",
        ("config.json", "preprocessor_config.json", "pytorch_model.bin"),
    )

    @property
    def identity(self) -> str:
        return identity_of(self, f"transformers:{metadata.version('transformers')}", self.weights)

    def embed(self, waveform: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `_SpeakerSimilarity.embed`."""
        import torch

        extractor, model = _wavlm(self.weights.locate()[0].parent)
        inputs = extractor(waveform, sampling_rate=RATE, return_tensors="pt")
        with torch.inference_mode():
            found = model(**inputs).embeddings[0]
        return np.asarray(found.numpy(), np.float64)


@lru_cache(maxsize=1)
def _ecapa(folder: Path) -> Any:
    from speechbrain.inference.speaker import EncoderClassifier

    # Else the recipe of a fetched model would ask the hub again, at no revision in particular.
    recipe = (folder / "hyperparams.yaml").read_text(encoding="utf-8")
    overrides = {"pretrained_path": str(folder)} if "pretrained_path:" in recipe else {}
    # SpeechBrain leaves links to the model's files in a folder of our choice.
    with tempfile.TemporaryDirectory() as scratch:
        return EncoderClassifier.from_hparams(
            source=str(folder), savedir=scratch, overrides=overrides
        )


@lru_cache(maxsize=1)
def _wavlm(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoFeatureExtractor, WavLMForXVector

    extractor: Any = AutoFeatureExtractor
    model: Any = WavLMForXVector.from_pretrained(folder, local_files_only=True)
    return extractor.from_pretrained(folder, local_files_only=True), model.eval()
