"""CLAP 2023 by msclap: the protocol's classifier of audio events (Elizalde et al. 2023).

The package cannot share our environment (it wants transformers 4, pandas 2, librosa 0.10), so it
runs in a process of another, whose interpreter ``SQBENCH_MSCLAP`` names. As in the protocol:
torchaudio's resampler to 44.1 kHz, clips repeated to 7 s, scaled cosine to each class's prompt.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import cached_property
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
    torchaudio_resample,
)
from sqbench.tasks.evaluators.zero_shot import categories, chosen, prompts, tiled

VARIABLE = "SQBENCH_MSCLAP"
DEFAULT = Path("~/.cache/sqbench/msclap/bin/python")
SETUP = (
    "python3 -m venv ~/.cache/sqbench/msclap && ~/.cache/sqbench/msclap/bin/pip install "
    "msclap==1.3.4 'torch==2.8.*' 'torchaudio==2.8.*'"
)
_PROCESS = Path(__file__).with_name("clap_msclap_process.py")


def interpreter() -> Path:
    """Python of msclap's environment; need not be there."""
    return Path(os.environ.get(VARIABLE) or DEFAULT).expanduser()


def readiness() -> str:
    """Whether the environment is there."""
    if interpreter().is_file():
        return "ready (fetches microsoft/msclap)"
    return f"needs an environment of its own, none at {interpreter()}"


class MsClap(Evaluator):
    """Zero-shot classes. ``source`` is a file of weights."""

    task = "aec"
    name = "clap-2023"
    sample_rate = 44_100
    waveform_alone = True

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._names = categories(setting.data)
        self._process: subprocess.Popen[str] | None = None
        self._length = 0

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        try:
            return {**self._start(), "classes": self._names}
        finally:
            self.close()

    def resample(self, samples: NDArray[np.floating], rate: int) -> Waveform:
        return torchaudio_resample(samples, rate, self.sample_rate)

    def load(self, read: Read) -> None:
        self._start()
        told = self._ask(prompts=prompts(self._names), cuda=self.setting.device.startswith("cuda"))
        if told["rate"] != self.sample_rate:
            raise InputError("msclap", expected=f"{self.sample_rate} Hz", found=f"{told['rate']}")
        self._length = int(told["seconds"] * told["rate"])

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def predict(self, waveforms: Sequence[Waveform], clips: Sequence[Clip]) -> list[dict[str, Any]]:
        found = []
        for waveform in waveforms:
            audio = np.ascontiguousarray(tiled(waveform, self._length), "<f4")
            heard = self._ask(audio=base64.b64encode(audio.tobytes()).decode())
            scores, embedding = np.array(heard["scores"]), np.array(heard["embedding"])
            found.append(chosen(self._names, scores, embedding))
        return found

    def _start(self) -> dict[str, Any]:
        python = interpreter()
        if not python.is_file():
            raise InputError(
                f"evaluator {self.name!r}",
                expected=f"the interpreter of msclap's environment ({VARIABLE}, else {DEFAULT})",
                found=f"no file {python}",
                remedy=f"Set it up: {SETUP}",
            )
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        self._process = subprocess.Popen(
            [str(python), "-u", str(_PROCESS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        source = self.setting.source
        return self._ask(model=None if source is None else str(Path(source).resolve()))

    def _ask(self, **fields: Any) -> dict[str, Any]:
        assert self._process is not None, "load() first"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(fields) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer: dict[str, Any] = json.loads(line) if line else {"error": "the process died"}
        if "error" in answer:
            raise InputError(f"evaluator {self.name!r}", found=answer["error"])
        return answer
