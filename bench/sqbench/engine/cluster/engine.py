"""A Ray cluster as the engine of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqbench.engine.assignment import Assignment
from sqbench.engine.cache import AudioCache
from sqbench.engine.cluster import connection, listening, remote
from sqbench.engine.cluster.executor import RayExecutor
from sqbench.engine.cluster.remote import Place
from sqbench.engine.cluster.scoring import ClusterScoring
from sqbench.engine.cluster.system import ClusterSystem
from sqbench.engine.hearing import Memory
from sqbench.engine.monitor import Monitor
from sqbench.engine.observations import Decoded
from sqbench.engine.options import Options
from sqbench.engine.scoring import Coding, Scorer, Scoring
from sqbench.engine.systems.base import Subject, System
from sqbench.engine.systems.names import FOLDER
from sqbench.engine.systems.opening import open_system
from sqbench.store.record import Observation
from sqbench.tasks.base import Clip
from sqbench_codecs import Codec


class ClusterEngine:
    """A `sqbench.engine.local.Engine` on the nodes of a cluster.

    Codecs given by name are held by the nodes. A folder of decoded audio, and a codec that is
    loaded already, stay here; what they make is measured by the nodes.
    """

    name = "ray"

    def __init__(self, ray: Any, monitor: Monitor) -> None:
        self.ray, self.monitor = ray, monitor
        self.executor = RayExecutor(ray)
        here = connection.on(ray, ray.get_runtime_context().get_node_id())
        kind = ray.remote(num_cpus=0, max_restarts=0)(remote.Courier)
        self.courier = kind.options(scheduling_strategy=here).remote(os.getcwd())
        self.place = Place(self.courier)

    def open(self, codec: str | Codec | System, options: Options) -> Subject:
        if isinstance(codec, str) and not codec.startswith(FOLDER) and not options.debug:
            return ClusterSystem(self.ray, codec, options, self.place, self.monitor)
        return open_system(codec, options)

    def scorer(self, coding: Coding) -> Scorer:
        if isinstance(coding.system, ClusterSystem):
            return ClusterScoring(self.ray, coding, coding.system)
        return Scoring(coding, self.executor)

    def observations(
        self,
        assignment: Assignment,
        work: Sequence[tuple[Decoded, Clip]],
        cache: AudioCache,
        memory: Memory,
    ) -> Iterator[list[Observation]]:
        return listening.observe(
            self.ray, self.place, self.monitor, assignment, work, cache, memory
        )

    def close(self) -> None:
        """End the last actor."""
        self.ray.kill(self.courier)


@contextmanager
def opened(options: Options, monitor: Monitor) -> Iterator[ClusterEngine]:
    """The engine that the options name, joined and left again.

    Raises:
        InputError: see `sqbench.engine.cluster.connection.connected`.
    """
    with connection.connected(options.engine, options.workers) as ray:
        engine = ClusterEngine(ray, monitor)
        try:
            for node in connection.nodes(ray):
                monitor.note(f"node {node.name}: {node.cpus} CPUs, {node.gpus} GPUs")
            yield engine
        finally:
            engine.close()
