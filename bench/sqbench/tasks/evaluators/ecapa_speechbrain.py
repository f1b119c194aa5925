"""SpeechBrain's ECAPA-TDNN: a well-kept alternative with another front end, under its own name."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import metadata
from typing import Any

from sqbench.tasks.base import Clip
from sqbench.tasks.embeddings import pack
from sqbench.tasks.evaluators.base import Evaluator, Read, Setting, Waveform
from sqbench.tasks.evaluators.hub import Found, fetched, hugging_face
from sqbench.tasks.evaluators.whisper import release

MODEL = "speechbrain/spkrec-ecapa-voxceleb"


class SpeechBrainEcapa(Evaluator):
    """Embeddings of whole utterances. ``source`` is a hub id, or a folder in its layout."""

    task = "asv"
    name = "ecapa-speechbrain"
    sample_rate = 16_000
    waveform_alone = True

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._model: Any = None

    @cached_property
    def _found(self) -> Found:
        weights = ("embedding_model.ckpt",)
        return hugging_face(self.setting.source or MODEL, weights, "SpeechBrain's ECAPA-TDNN")

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        return {**self._found.identity, "speechbrain": metadata.version("speechbrain")}

    def load(self, read: Read) -> None:
        from pathlib import Path

        from speechbrain.inference.speaker import EncoderClassifier

        folder = str(self._found.folder)
        recipe = (self._found.folder / "hyperparams.yaml").read_text(encoding="utf-8")
        # Else the recipe of a fetched model would ask the hub again, at no revision in particular.
        overrides = {"pretrained_path": folder} if "pretrained_path:" in recipe else {}

        def load() -> Path:
            # SpeechBrain leaves links to the model's files in a folder of our choice.
            with tempfile.TemporaryDirectory() as scratch:
                self._model = EncoderClassifier.from_hparams(
                    source=folder,
                    savedir=scratch,
                    run_opts={"device": self.setting.device},
                    overrides=overrides,
                )
            return self._found.folder

        fetched(load, folder, "SpeechBrain's ECAPA-TDNN")

    def close(self) -> None:
        self._model = None
        release(self.setting.device)

    def predict(self, waveforms: Sequence[Waveform], clips: Sequence[Clip]) -> list[dict[str, Any]]:
        import torch

        found = []
        for waveform in waveforms:  # one at a time: padding moves the embedding
            with torch.inference_mode():
                embedding = self._model.encode_batch(torch.from_numpy(waveform)[None])
            found.append({"whole": pack(embedding[0, 0].cpu().numpy())})
        return found
