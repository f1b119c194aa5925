"""A codec on every node of a cluster, as one thing to evaluate."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqbench.engine.cluster import remote
from sqbench.engine.cluster.connection import Node, on
from sqbench.engine.cluster.crew import Crew, Event
from sqbench.engine.cluster.remote import Description, Place
from sqbench.engine.monitor import Monitor
from sqbench.engine.options import Options
from sqbench.engine.systems.base import Subject
from sqbench.engine.systems.process import LOAD_S
from sqbench.errors import InputError

Shard = tuple[int, ...]
"""Positions of jobs that are coded together."""


class ClusterSystem(Subject):
    """A codec that the nodes hold; what it is, the first that has it says.

    Args:
        codec: as the command line names it.

    Raises:
        InputError: no node can load it.
    """

    def __init__(
        self, ray: Any, codec: str, options: Options, place: Place, monitor: Monitor
    ) -> None:
        self.monitor, self.logs = monitor, list[str]()
        gpu = options.devices[0] != "cpu"
        here = replace(options, hosts=1, device="cuda" if gpu else options.devices[0])

        def start(node: Node) -> Any:
            kind = ray.remote(num_cpus=0, num_gpus=1 if gpu else 0, max_restarts=0)(
                remote.CodecHost
            )
            where = kind.options(scheduling_strategy=on(ray, node.id))
            return where.remote(codec, here, place)

        def places(node: Node) -> int:
            return node.gpus if gpu else options.hosts * (node.cpus > 0)

        self.crew: Crew[Shard] = Crew(ray, start, places)
        self._cost: Mapping[str, float | None] = {}
        self._known: Description | None = None
        try:
            self._wait(codec)
        except BaseException:
            self.crew.close()
            raise

    def _wait(self, codec: str) -> None:
        deadline = time.monotonic() + LOAD_S
        while self._known is None:
            self.crew.look()
            if time.monotonic() > deadline or self.crew.hopeless:
                raise InputError(
                    f"codec {codec}",
                    expected="a node of the cluster that can hold it",
                    found="none" if self.crew.hopeless else f"none in {LOAD_S:g} s",
                    remedy="`ray status` lists what there is.",
                )
            for ref in self.crew.wait():
                for event in self.crew.take(ref):
                    self.joined(event)

    def joined(self, event: Event[Shard]) -> None:
        """A node holds the codec, or says why not.

        Raises:
            InputError: it does not load, and nobody has it yet.
        """
        if event.kind != "ready":
            return
        found: Description = event.value
        if self._known is None:
            if found.problem:
                raise InputError(found.problem)
            self._known = found
            self.description, self.unknown = found.description, found.unknown
            self._cost = found.cost
            return
        problem = found.problem
        if not problem and _identity(found) != _identity(self._known):
            problem = "it is another codec there: other weights, files or settings"
        if problem:
            self.crew.dismiss(event.member, for_good=True)
            self.monitor.note(f"{self.name}: not on {event.member.node.name}: {problem}")

    def cost(self) -> dict[str, float | None]:
        return dict(self._cost)

    def keep_logs(self) -> None:
        """Ask the nodes what the codec printed, before they are gone."""
        ray = self.crew.ray
        asked = [member.actor.log.remote() for member in self.crew.members if member.ready]
        done, _ = ray.wait(asked, num_returns=len(asked), timeout=10.0) if asked else ([], [])
        for ref in done:
            try:
                if text := ray.get(ref):
                    self.logs.append(text)
            except ray.exceptions.RayError:
                continue  # gone with its node

    def log(self) -> str:
        return "\n".join(self.logs)

    def close(self) -> None:
        self.crew.close()


def _identity(found: Description) -> tuple[Any, ...]:
    """What two nodes must agree on; what cannot be hashed has a name of its own on each."""
    about = found.description
    settings = {key: value for key, value in about["settings"].items() if key != "unknown"}
    return about["name"], settings, about["weights"]["sha256"]
