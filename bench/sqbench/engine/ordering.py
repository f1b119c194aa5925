"""Results in the order of the work, whatever the order in which they come."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class InOrder(Generic[T]):
    """Holds what came early until all before it is there.

    Positions count from 0, each once. What is held is what was finished during the slowest piece of
    work: records, no audio.
    """

    def __init__(self) -> None:
        self._next = 0
        self._held: dict[int, T] = {}

    def put(self, position: int, result: T) -> list[T]:
        """Take a result; returns those whose turn it now is."""
        self._held[position] = result
        ready = []
        while self._next in self._held:
            ready.append(self._held.pop(self._next))
            self._next += 1
        return ready

    def rest(self) -> list[T]:
        """Give up what is still held, by position: of work that ended early."""
        left = [self._held[position] for position in sorted(self._held)]
        self._held.clear()
        return left

    @property
    def released(self) -> int:
        """How many results have had their turn."""
        return self._next

    def __contains__(self, position: int) -> bool:
        return position < self._next or position in self._held
