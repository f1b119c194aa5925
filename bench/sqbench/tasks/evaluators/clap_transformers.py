"""CLAP by transformers (Wu et al. 2022): not the protocol's, under its own name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from sqbench.tasks.base import Clip
from sqbench.tasks.evaluators.base import Evaluator, Read, Setting, Waveform
from sqbench.tasks.evaluators.hub import Found, fetched, hugging_face
from sqbench.tasks.evaluators.whisper import release
from sqbench.tasks.evaluators.zero_shot import categories, chosen, prompts, tiled

MODEL = "laion/clap-htsat-unfused"


class TransformersClap(Evaluator):
    """Zero-shot classes. ``source`` is a hub id, or a folder in ``save_pretrained``'s layout."""

    task = "aec"
    name = "clap-laion"
    sample_rate = 48_000
    waveform_alone = True

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._names = categories(setting.data)
        self._model: Any = None
        self._extractor: Any = None
        self._texts: Any = None

    @cached_property
    def _found(self) -> Found:
        weights = ("model.safetensors", "pytorch_model.bin")
        return hugging_face(self.setting.source or MODEL, weights, "a CLAP of transformers")

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        version = metadata.version("transformers")
        return {**self._found.identity, "transformers": version, "classes": self._names}

    def load(self, read: Read) -> None:
        import torch

        def load() -> Path:
            from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

            folder = self._found.folder
            self._model = ClapModel.from_pretrained(folder, local_files_only=True)
            self._extractor = ClapFeatureExtractor.from_pretrained(folder, local_files_only=True)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model.eval().to(self.setting.device)
            texts = tokenizer(prompts(self._names), padding=True, return_tensors="pt")
            with torch.inference_mode():
                found = self._model.get_text_features(**texts.to(self.setting.device))
            self._texts = torch.nn.functional.normalize(found.pooler_output, dim=-1)
            return folder

        fetched(load, str(self._found.folder), "a CLAP of transformers")

    def close(self) -> None:
        self._model = self._extractor = self._texts = None
        release(self.setting.device)

    def predict(self, waveforms: Sequence[Waveform], clips: Sequence[Clip]) -> list[dict[str, Any]]:
        import torch

        found = []
        for waveform in waveforms:
            # Of the extractor's own length, so that it has nothing to crop at random.
            audio = tiled(waveform, int(self._extractor.nb_max_samples))
            inputs = self._extractor(audio, sampling_rate=self.sample_rate, return_tensors="pt")
            with torch.inference_mode():
                heard = self._model.get_audio_features(**inputs.to(self.setting.device))
                embedding = torch.nn.functional.normalize(heard.pooler_output, dim=-1)[0]
                scores = self._model.logit_scale_a.exp() * (self._texts @ embedding)
            found.append(chosen(self._names, scores.cpu().numpy(), embedding.cpu().numpy()))
        return found
