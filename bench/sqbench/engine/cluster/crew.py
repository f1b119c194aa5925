"""Actors on every node, kept at work; one that dies costs the work that it held, which is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from sqbench.engine.cluster import connection
from sqbench.engine.cluster.connection import Node

LOOK_S = 5.0
"""Seconds between two looks for nodes that joined, and places that became free."""

TRIES = 3
"""Actors that end before they are ready, after which a place is given up."""

DEPTH = 2
"""Pieces of work that an actor is given: it finds the next one when it has done the first."""

Tag = TypeVar("Tag")


@dataclass(eq=False)
class Member(Generic[Tag]):
    """An actor and what it holds: the first object of each call, with the work's tag."""

    node: Node
    place: int
    actor: Any
    starting: Any
    ready: bool = False
    held: dict[Any, Tag] = field(default_factory=dict)


@dataclass(frozen=True)
class Event(Generic[Tag]):
    """What became of a call.

    Attributes:
        kind: ``ready`` (``value`` is what the actor said), ``done`` (``value`` is the first object
            of the call), or ``lost``: the actor is gone, with all its work.
        tags: the work that it is about.
    """

    kind: Literal["ready", "done", "lost"]
    member: Member[Tag]
    tags: tuple[Tag, ...] = ()
    value: Any = None


class Crew(Generic[Tag]):
    """Actors of one kind.

    Args:
        start: makes an actor on a node; it has ``ready`` and ``close``.
        places: how many a node gets.
    """

    def __init__(
        self, ray: Any, start: Callable[[Node], Any], places: Callable[[Node], int]
    ) -> None:
        self.ray, self._start, self._places = ray, start, places
        self.members: list[Member[Tag]] = []
        self._failures: dict[tuple[str, int], int] = {}
        self._looked = -LOOK_S
        self.nodes: list[Node] = []

    def look(self) -> None:
        """Start actors where there is a place without one, now and then."""
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        taken = {(member.node.id, member.place) for member in self.members}
        self.nodes = connection.nodes(self.ray)
        for node in self.nodes:
            for place in range(self._places(node)):
                key = (node.id, place)
                if key not in taken and self._failures.get(key, 0) < TRIES:
                    actor = self._start(node)
                    self.members.append(Member(node, place, actor, actor.ready.remote()))

    def free(self) -> Member[Tag] | None:
        """A member with the least work, if there is one that can take more."""
        able = [member for member in self.members if member.ready and len(member.held) < DEPTH]
        return min(able, key=lambda member: len(member.held), default=None)

    @property
    def processors(self) -> int:
        """Of the nodes that were there at the last look, at least one."""
        return max(1, sum(node.cpus for node in self.nodes))

    def wait(self, more: Iterable[Any] = ()) -> list[Any]:
        """Objects that are there, of this crew and ``more``: after a second perhaps none."""
        waiting = self.waiting() + list(more)
        if not waiting:
            time.sleep(0.1)
            return []
        if not self.ray.wait(waiting, timeout=1.0)[0]:
            return []
        ready, _ = self.ray.wait(waiting, num_returns=len(waiting), timeout=0)
        return list(ready)

    @property
    def hopeless(self) -> bool:
        """Whether there is nobody, and nobody to come on the nodes that are there."""
        return not self.members and all(
            self._failures.get((node.id, place), 0) >= TRIES
            for node in connection.nodes(self.ray)
            for place in range(self._places(node))
        )

    def waiting(self) -> list[Any]:
        """Objects to wait for."""
        starting = [member.starting for member in self.members if not member.ready]
        return starting + [ref for member in self.members for ref in member.held]

    def take(self, done: Any) -> Iterator[Event[Tag]]:
        """What an object that is there means; nothing if it is not one of this crew's.

        Raises:
            Exception: what the called code raised: a defect, as it is to catch what it can.
        """
        for member in self.members:
            if done in member.held or (done == member.starting and not member.ready):
                break
        else:
            return
        try:
            value = self.ray.get(done)
        except Exception as error:
            if not connection.lost(self.ray, error):
                raise
            yield Event("lost", member, self.dismiss(member), value=error)
            return
        if done == member.starting:
            member.ready = True
            yield Event("ready", member, value=value)
        else:
            yield Event("done", member, (member.held.pop(done),), value)

    def dismiss(self, member: Member[Tag], *, for_good: bool = False) -> tuple[Tag, ...]:
        """Do without a member; returns the work that it held.

        Args:
            for_good: also without another in its place.
        """
        key = (member.node.id, member.place)
        if for_good or not member.ready:
            self._failures[key] = TRIES if for_good else self._failures.get(key, 0) + 1
        self.members.remove(member)
        self._end(member)
        return tuple(member.held.values())

    def close(self) -> None:
        """End all actors: those that are at work at once, the others in peace."""
        closing = [
            member.actor.close.remote()
            for member in self.members
            if member.ready and not member.held
        ]
        if closing:
            self.ray.wait(closing, num_returns=len(closing), timeout=5.0)
        for member in self.members:
            self._end(member)
        self.members.clear()

    def _end(self, member: Member[Tag]) -> None:
        with suppress(Exception):  # it is gone already
            self.ray.kill(member.actor)
