"""The evaluator contract: what a model is given, what it says, and what identifies it."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sqbench import audio
from sqbench.digest import digest
from sqbench.tasks.base import Clip, TaskData

Waveform = NDArray[np.float32]
"""Mono samples ``[T]``, full scale at 1.0, at the evaluator's rate."""

Read = Callable[[str], Waveform]
"""The original audio of a clip, by its id, at the evaluator's rate."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What an evaluator is made for.

    Attributes:
        source: a hub id (``id@revision`` for another than the default) or a local path, instead
            of the evaluator's own choice.
        device: where it runs.
        data: the clips that it will be asked about, with their labels.
        hashes: of the original audio, by clip.
    """

    source: str | None
    device: str
    data: TaskData
    hashes: Mapping[str, str]


class Evaluator(ABC):
    """One model for one task. Cheap to make; `load` takes what it needs, `close` gives it back.

    What it says of a waveform depends on the waveform alone (and on the clip, for one that must
    not be asked about what it was trained on), never on what else is in the list.

    Attributes:
        task: the task's name.
        name: registry name, and a part of the table's header.
        version: raised when observations may change.
        sample_rate: of the waveforms that it takes, Hz.
        batch_size: how many waveforms it is given at once.
        waveform_alone: whether what it says depends on nothing but the waveform, the clip's name
            and label neither: equal waveforms are then heard once.
    """

    task: ClassVar[str]
    name: ClassVar[str]
    version: ClassVar[int] = 1
    sample_rate: ClassVar[int]
    batch_size: ClassVar[int] = 8
    waveform_alone: ClassVar[bool] = False

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    @property
    def label(self) -> str:
        """The name, with the source where that is the user's."""
        return labelled(self.name, self.setting.source)

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        """JSON-able: which weights (hash, revision) and packages the observations depend on.

        May fetch a model.

        Raises:
            InputError: the model is not there.
        """
        return {}

    @property
    def id(self) -> str:
        """Short hash of name, version and identity; part of every observation's key."""
        return digest(self.name, self.version, dict(self.identity))[:12]

    def resample(self, samples: NDArray[np.floating], rate: int) -> Waveform:
        """``[T]`` at any rate, at the evaluator's; by the project's resampler unless overridden."""
        at_rate = audio.resample(np.asarray(samples, np.float64), rate, self.sample_rate)
        return at_rate.astype(np.float32)

    def load(self, read: Read) -> None:  # noqa: B027 - some have nothing to load
        """Take model and memory. ``read`` gives the original audio, for who learns from it.

        Raises:
            InputError: a package or the model is missing, or not what it should be.
        """

    def close(self) -> None:  # noqa: B027
        """Give memory back."""

    @abstractmethod
    def predict(self, waveforms: Sequence[Waveform], clips: Sequence[Clip]) -> list[dict[str, Any]]:
        """What is heard in each waveform, JSON-able; the fields are the task's."""


class WorkerEvaluator(Evaluator):
    """An evaluator of single waveforms that runs in worker processes."""

    waveform_alone = True

    @abstractmethod
    def listener(self) -> Callable[[Waveform], dict[str, Any]]:
        """What turns a waveform into an observation, for a worker to call: it must pickle."""

    def predict(self, waveforms: Sequence[Waveform], clips: Sequence[Clip]) -> list[dict[str, Any]]:
        listen = self.listener()
        return [listen(waveform) for waveform in waveforms]


def labelled(name: str, source: str | None) -> str:
    """``name``, or ``name@source`` with the last part of a local path."""
    if source is None:
        return name
    return f"{name}@{Path(source).name if Path(source).exists() else source}"


def file_sha256(path: Path) -> str:
    """Hash of a file, read in parts."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def torchaudio_resample(samples: NDArray[np.floating], rate: int, to_rate: int) -> Waveform:
    """``[T]`` at another rate by torchaudio's default filter, which the protocol's scripts use."""
    if rate == to_rate:
        return np.asarray(samples, np.float32)
    import torch

    resampled: Waveform = _resampler(rate, to_rate)(
        torch.from_numpy(np.asarray(samples, np.float32))
    ).numpy()
    return resampled


@lru_cache(maxsize=8)
def _resampler(rate: int, to_rate: int) -> Any:
    from torchaudio.transforms import Resample

    return Resample(rate, to_rate)
