"""Who is told of a run's progress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sqbench.store.record import Observation, Record


class Monitor(Protocol):
    """Told what happens, as it happens."""

    def note(self, text: str) -> None:
        """Something a user should know."""

    def loading(self, codec: str) -> None:
        """A codec is made ready, which may take a while."""

    def start(self, codec: str, todo: int, total: int) -> None:
        """A codec or an evaluator begins: of ``todo`` of ``total`` clips something is missing."""

    def scored(self, codec: str, records: Sequence[Record]) -> None:
        """An utterance is done; these are its records."""

    def predicted(self, evaluator: str, observations: Sequence[Observation]) -> None:
        """An evaluator has listened to clips, decoded or original."""

    def hashed(self, done: int, total: int) -> None:
        """So many clips of the source are hashed."""


class Quiet:
    """A monitor that says nothing."""

    def note(self, text: str) -> None: ...
    def loading(self, codec: str) -> None: ...
    def start(self, codec: str, todo: int, total: int) -> None: ...
    def scored(self, codec: str, records: Sequence[Record]) -> None: ...
    def predicted(self, evaluator: str, observations: Sequence[Observation]) -> None: ...
    def hashed(self, done: int, total: int) -> None: ...
