"""Whisper by openai-whisper: the protocol's recogniser (Radford et al. 2022).

Decoded as the challenge does: English, no timestamps, greedy, no fallback, half precision on a GPU;
torchaudio's resampler; an utterance is cut, or padded with silence, to 30 s, so that what comes
after is lost. `LongWhisper` hears longer ones to their end and is the same for the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqbench.errors import InputError
from sqbench.tasks.base import Clip
from sqbench.tasks.evaluators.base import (
    Evaluator,
    Read,
    Setting,
    Waveform,
    file_sha256,
    torchaudio_resample,
)
from sqbench.tasks.words import normaliser

MODEL = "large-v3"
"""What "large" means in the release that the protocol pins."""

SECONDS = 30


class Whisper(Evaluator):
    """Hypotheses by Whisper. ``source`` is a model's name, or a file as openai-whisper saves it."""

    task = "asr"
    name = "whisper-large-v3"
    sample_rate = 16_000
    batch_size = 8
    waveform_alone = True

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._model: Any = None

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        import whisper

        source = self.setting.source or MODEL
        version = metadata.version("openai-whisper")
        if Path(source).is_file():
            return {"openai-whisper": version, "sha256": file_sha256(Path(source))}
        urls: Mapping[str, str] = whisper._MODELS
        if source not in urls:
            raise InputError(
                f"evaluator {self.name}@{source}",
                expected=f"a file, or one of {', '.join(urls)}",
                found="no such file",
            )
        # The address holds the hash, which the download is checked against.
        return {"openai-whisper": version, "source": source, "sha256": urls[source].split("/")[-2]}

    def resample(self, samples: NDArray[np.floating], rate: int) -> Waveform:
        return torchaudio_resample(samples, rate, self.sample_rate)

    def load(self, read: Read) -> None:
        import whisper

        normaliser()
        source = self.setting.source or MODEL
        try:
            self._model = whisper.load_model(source, device=self.setting.device)
        except Exception as error:  # the network, or anything in a file that is not a model
            raise InputError(
                f"evaluator {self.name}",
                expected=f"the model {source}",
                found=f"{type(error).__name__}: {error}",
                remedy="Check the network, or give the file as name@FILE.",
            ) from error

    def close(self) -> None:
        self._model = None
        release(self.setting.device)

    def predict(self, waveforms: Sequence[Waveform], clips: Sequence[Clip]) -> list[dict[str, Any]]:
        import torch
        import whisper

        model = self._model
        mels = torch.stack(
            [
                whisper.log_mel_spectrogram(
                    whisper.pad_or_trim(torch.from_numpy(waveform)), n_mels=model.dims.n_mels
                )
                for waveform in waveforms
            ]
        ).to(model.device)
        options = whisper.DecodingOptions(
            language="en", without_timestamps=True, fp16=model.device.type == "cuda"
        )
        return [{"hypothesis": found.text} for found in model.decode(mels, options)]


class LongWhisper(Whisper):
    """Utterances above 30 s by Whisper's own loop over windows, greedy, each on its own."""

    name = "whisper-large-v3-long"

    def predict(self, waveforms: Sequence[Waveform], clips: Sequence[Clip]) -> list[dict[str, Any]]:
        limit = SECONDS * self.sample_rate
        short = [i for i, waveform in enumerate(waveforms) if len(waveform) <= limit]
        found: list[dict[str, Any]] = [{} for _ in waveforms]
        if short:
            heard = super().predict([waveforms[i] for i in short], [clips[i] for i in short])
            for i, each in zip(short, heard, strict=True):
                found[i] = each
        for i, waveform in enumerate(waveforms):
            if len(waveform) > limit:
                found[i] = {"hypothesis": self._long(waveform)}
        return found

    def _long(self, waveform: Waveform) -> str:
        import whisper

        heard = whisper.transcribe(
            self._model,
            waveform,
            language="en",
            temperature=0.0,
            condition_on_previous_text=False,
            fp16=self._model.device.type == "cuda",
        )
        return str(heard["text"])


def release(device: str) -> None:
    """Give a GPU's freed memory to the next model."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.empty_cache()
