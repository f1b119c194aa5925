"""Where the work of a run is done: `Engine` is the interface, `LocalEngine` this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from sqbench.engine import predict
from sqbench.engine.assignment import Assignment
from sqbench.engine.cache import AudioCache
from sqbench.engine.hearing import Memory
from sqbench.engine.observations import Decoded
from sqbench.engine.options import Options
from sqbench.engine.pool import Executor
from sqbench.engine.scoring import Coding, Scorer, Scoring
from sqbench.engine.systems.base import Subject, System
from sqbench.engine.systems.opening import open_system
from sqbench.store.record import Observation
from sqbench.tasks.base import Clip
from sqbench_codecs import Codec


class Engine(Protocol):
    """Does the work of a run, somewhere."""

    name: str

    def open(self, codec: str | Codec | System, options: Options) -> Subject:
        """Load what is to be evaluated.

        Raises:
            InputError: there is no such thing, or it cannot be loaded.
        """
        ...

    def scorer(self, coding: Coding) -> Scorer:
        """What makes records of a system's clips."""
        ...

    def observations(
        self,
        assignment: Assignment,
        work: Sequence[tuple[Decoded, Clip]],
        cache: AudioCache,
        memory: Memory,
    ) -> Iterator[list[Observation]]:
        """What an evaluator hears in clips, in any order (`sqbench.engine.predict.observe`)."""
        ...


class LocalEngine:
    """Everything on this machine.

    Args:
        executor: measures, and has worker evaluators listen.
    """

    name = "local"

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    def open(self, codec: str | Codec | System, options: Options) -> Subject:
        return open_system(codec, options)

    def scorer(self, coding: Coding) -> Scorer:
        return Scoring(coding, self.executor)

    def observations(
        self,
        assignment: Assignment,
        work: Sequence[tuple[Decoded, Clip]],
        cache: AudioCache,
        memory: Memory,
    ) -> Iterator[list[Observation]]:
        return predict.observe(assignment, work, cache, memory, self.executor)
