"""Equal samples are heard once: of codecs, of a codec and the original, and of earlier runs."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from sqbench.store.record import Observation
from sqbench.tasks.base import Clip, Observed
from sqbench.tasks.evaluators.base import Evaluator, Waveform

Who = TypeVar("Who")


def content_of(waveform: Waveform, rate: int) -> str:
    """SHA-256 of the samples ``[T]`` as float32 (little endian), and of their rate in Hz."""
    found = hashlib.sha256(f"{rate} ".encode())
    found.update(np.ascontiguousarray(waveform, dtype="<f4").data)
    return found.hexdigest()


class Memory:
    """What evaluators said of which samples, for the length of a run.

    Args:
        observations: of earlier runs; those without the hash of what was heard tell nothing.
    """

    def __init__(self, observations: Iterable[Observation] = ()) -> None:
        self._said: dict[tuple[str, str], Observed] = {
            (one["evaluator_id"], one["heard_sha256"]): one["observed"]
            for one in observations
            if one["heard_sha256"] is not None and one["observed"] is not None
        }

    def get(self, evaluator_id: str, samples: str) -> Observed | None:
        return self._said.get((evaluator_id, samples))

    def put(self, evaluator_id: str, samples: str, said: Observed) -> None:
        self._said[evaluator_id, samples] = said


@dataclass(frozen=True)
class Answer:
    """Of samples that were asked about.

    Attributes:
        key: names them.
        said: what was said of them; ``None`` if that is not known yet.
        hear: whether they are to be heard now: nobody knows them, and nobody is hearing them.
    """

    key: str
    said: Observed | None
    hear: bool


class Ear(Generic[Who]):
    """Who waits for what one evaluator says.

    Two threads use it: one brings samples and asks, the other tells what was said. An evaluator
    that minds the clip hears equal samples once for each clip.
    """

    def __init__(self, evaluator: Evaluator, memory: Memory) -> None:
        self._alone, self._id, self._memory = evaluator.waveform_alone, evaluator.id, memory
        self._waiting: dict[str, list[Who]] = {}
        self._lock = threading.Lock()

    def ask(self, content: str, clip: Clip, who: Who) -> Answer:
        """Ask about samples for ``who``: unless it is known, `tell` says that it was for them."""
        key = content if self._alone else f"{content} {clip.id}"
        with self._lock:
            said = self._memory.get(self._id, key)
            if said is not None:
                return Answer(key, said, hear=False)
            waiting = self._waiting.setdefault(key, [])
            waiting.append(who)
            return Answer(key, None, hear=len(waiting) == 1)

    def tell(self, key: str, said: Observed | None) -> list[Who]:
        """What was said of samples, ``None`` where hearing failed; returns all who asked."""
        with self._lock:
            if said is not None:
                self._memory.put(self._id, key, said)
            return self._waiting.pop(key)
