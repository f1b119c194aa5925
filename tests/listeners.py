"""Evaluators for tests, named as ``er=tests/listeners.py:LOUDNESS``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sqbench.tasks.base import Clip
from sqbench.tasks.evaluators.base import Evaluator, Read, Waveform, WorkerEvaluator
from sqbench.tasks.evaluators.catalogue import EvaluatorEntry
from sqcodec.errors import InputError

HEARD = "SQBENCH_TEST_HEARD"
"""Environment variable: a file that gets a line for every clip heard."""


class Loudness(Evaluator):
    """Calls what is loud angry; refuses what is louder than full scale."""

    task = "er"
    name = "loudness"
    sample_rate = 8000
    batch_size = 3
    pause_s = 0.0

    def predict(self, waveforms: Sequence[Waveform], clips: Sequence[Clip]) -> list[dict[str, Any]]:
        found = []
        for waveform in waveforms:
            time.sleep(self.pause_s)
            found.append(how_loud(waveform))
        return found


class Slow(Loudness):
    """Takes its time."""

    name = "slow"
    batch_size = 1
    pause_s = 0.15


class Alone(Loudness):
    """Minds nothing but the waveform."""

    name = "alone"
    waveform_alone = True


class Counted(WorkerEvaluator):
    """Says how loud it is, in workers; refuses what is louder than full scale."""

    task = "er"
    name = "counted"
    sample_rate = 8000

    def listener(self) -> Callable[[Waveform], dict[str, Any]]:
        return how_loud


class Speller(Evaluator):
    """Hears "a cat" in what is loud, nothing in silence."""

    task = "asr"
    name = "speller"
    sample_rate = 8000

    def predict(self, waveforms: Sequence[Waveform], clips: Sequence[Clip]) -> list[dict[str, Any]]:
        return [{"hypothesis": "a cat" if w.any() else ""} for w in waveforms]


class Absent(Loudness):
    """Has a model that is not there."""

    name = "absent"

    def load(self, read: Read) -> None:
        raise InputError("model of absent", expected="a file", found="none")


class Blank(Evaluator):
    """Embeds the spectrum."""

    task = "asv"
    name = "blank"
    sample_rate = 8000

    def predict(self, waveforms: Sequence[Waveform], clips: Sequence[Clip]) -> list[dict[str, Any]]:
        from sqbench.tasks.embeddings import pack

        return [{"whole": pack(np.abs(np.fft.rfft(w, 64))[:16] + 1e-3)} for w in waveforms]


def how_loud(waveform: Waveform) -> dict[str, Any]:
    """Of a waveform ``[T]``; leaves a line where `HEARD` says."""
    if HEARD in os.environ:
        with open(os.environ[HEARD], "a") as file:
            file.write("heard\n")
    if np.abs(waveform).max(initial=0) > 1:
        raise RuntimeError("my ears")
    rms = float(np.sqrt(np.mean(waveform**2)))
    return {"label": "angry" if rms > 0.01 else "sad", "posterior": {"rms": rms}}


def _entry(kind: type[Evaluator]) -> EvaluatorEntry:
    return EvaluatorEntry(
        name=kind.name, task=kind.task, target=f"listeners:{kind.__name__}", summary=""
    )


LOUDNESS, SLOW, ALONE, COUNTED, ABSENT, BLANK, SPELLER = (
    _entry(kind) for kind in (Loudness, Slow, Alone, Counted, Absent, Blank, Speller)
)


def named(entry: str) -> str:
    """How a user would name one of these."""
    task = {"BLANK": "asv", "SPELLER": "asr"}.get(entry, "er")
    return f"{task}={Path(__file__)}:{entry}"


def imported(name: str) -> bool:
    """Whether the process that this runs in has a module."""
    return name in sys.modules
