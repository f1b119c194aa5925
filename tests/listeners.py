"""Evaluators for tests, named as ``er=tests/listeners.py:LOUDNESS``."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sqbench.tasks.base import Clip
from sqbench.tasks.evaluators.base import Evaluator, Read, Waveform
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

    def observe(self, waveforms: Sequence[Waveform], clips: Sequence[Clip]) -> list[dict[str, Any]]:
        found = []
        for waveform, clip in zip(waveforms, clips, strict=True):
            time.sleep(self.pause_s)
            if np.abs(waveform).max(initial=0) > 1:
                raise RuntimeError("my ears")
            rms = float(np.sqrt(np.mean(waveform**2)))
            found.append({"label": "angry" if rms > 0.01 else "sad", "posterior": {"rms": rms}})
            if HEARD in os.environ:
                with open(os.environ[HEARD], "a") as file:
                    file.write(f"{clip.id}\n")
        return found


class Slow(Loudness):
    """Takes its time."""

    name = "slow"
    batch_size = 1
    pause_s = 0.15


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

    def observe(self, waveforms: Sequence[Waveform], clips: Sequence[Clip]) -> list[dict[str, Any]]:
        from sqbench.tasks.embeddings import pack

        return [{"whole": pack(np.abs(np.fft.rfft(w, 64))[:16] + 1e-3)} for w in waveforms]


def _entry(kind: type[Evaluator]) -> EvaluatorEntry:
    return EvaluatorEntry(
        name=kind.name, task=kind.task, target=f"listeners:{kind.__name__}", summary=""
    )


LOUDNESS, SLOW, ABSENT, BLANK = (_entry(kind) for kind in (Loudness, Slow, Absent, Blank))


def named(entry: str) -> str:
    """How a user would name one of these."""
    task = "asv" if entry == "BLANK" else "er"
    return f"{task}={Path(__file__)}:{entry}"
