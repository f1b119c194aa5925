"""The scheduler of a run, simulated: shards to the nodes that hold the codec, pairs to processors.

As the run itself does it (`sqbench.engine.cluster`): one codec after the other, shards of
neighbouring clips in order to whoever is free, each pair then to any free processor; evaluators
after the codecs. Nodes may be slow, and may be lost with what they hold, which is done again.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sqbench.engine.cluster.parcels import grouped
from sqbench.planning.costs import Clip, Stage


@dataclass(frozen=True, kw_only=True)
class Machines:
    """Nodes of a cluster.

    Attributes:
        count: how many.
        cpus: processors of each; ``hosts`` processes that hold the codec.
        gpus: of each, that hold the codec instead; hosts then take no processor.
        start_s: until the cluster is there.
        clip_s: that a clip takes beside coding and measuring.
    """

    count: int
    cpus: int
    hosts: int = 1
    gpus: int = 0
    start_s: float = 0.0
    clip_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Troubles:
    """What goes wrong.

    Attributes:
        slow_share: of nodes that are ``slow_by`` times as slow as the others.
        losses_an_hour: of one node.
        back_s: until a lost node is replaced.
    """

    slow_share: float = 0.0
    slow_by: float = 2.0
    losses_an_hour: float = 0.0
    back_s: float = 600.0


@dataclass
class _Node:
    speed: float
    processors: int
    hosts: int
    dies: float
    epoch: int = 0
    ready: float = 0.0
    held: dict[int, tuple[int, ...]] = field(default_factory=dict)


@dataclass(order=True)
class _Event:
    at: float
    number: int
    node: int = field(compare=False)
    epoch: int = field(compare=False)
    kind: str = field(compare=False)
    work: tuple[int, ...] = field(compare=False, default=())


@dataclass(frozen=True)
class Outcome:
    """What came of a simulated run; ``lost`` counts nodes that were."""

    wall_s: float
    lost: int


def simulate(
    stages: Sequence[tuple[Stage, Sequence[Clip]]],
    machines: Machines,
    troubles: Troubles | None = None,
    *,
    batch: int = 8,
    seed: int = 0,
) -> Outcome:
    """Seconds that stages take one after the other.

    Args:
        batch: most clips of a shard.
        seed: of what goes wrong.
    """
    run = _Run(machines, troubles or Troubles(), np.random.default_rng(seed))
    for stage, clips in stages:
        if clips:
            run.stage(stage, clips, batch)
    return Outcome(run.now, run.lost)


def critical_path(stages: Sequence[tuple[Stage, Sequence[Clip]]]) -> float:
    """Seconds that no number of machines goes below: of each stage loading and its longest clip."""
    return sum(
        stage.load_s + max(_code(stage, clip) + _measure(stage, clip) for clip in clips)
        for stage, clips in stages
        if clips
    )


def work(stages: Sequence[tuple[Stage, Sequence[Clip]]]) -> float:
    """Seconds of processors that coding, measuring and hearing take in all."""
    return sum(
        _code(stage, clip) + _measure(stage, clip) for stage, clips in stages for clip in clips
    )


def _code(stage: Stage, clip: Clip) -> float:
    return stage.code(clip.seconds)


def _measure(stage: Stage, clip: Clip) -> float:
    line = stage.measure.get(clip.category)
    return 0.0 if line is None else line(clip.seconds)


class _Run:
    """A clock, the nodes, and what the stage at hand has left."""

    def __init__(self, machines: Machines, troubles: Troubles, rng: np.random.Generator) -> None:
        self.machines, self.troubles, self.rng = machines, troubles, rng
        self.now, self.lost, self._number = machines.start_s, 0, 0
        slow = rng.random(machines.count) < troubles.slow_share
        self.nodes = [
            _Node(1 / troubles.slow_by if each else 1.0, 0, 0, self._death(0.0)) for each in slow
        ]

    def stage(self, stage: Stage, clips: Sequence[Clip], batch: int) -> None:
        """Pass the time that a stage takes."""
        self._stage, self._clips = stage, clips
        processors = max(1, self.machines.count * self.machines.cpus)
        self._todo = deque(grouped([(clip.seconds, 0) for clip in clips], batch, processors))
        self._pairs: deque[int] = deque()
        self._left = len(clips)
        self._events: list[_Event] = []
        for index, node in enumerate(self.nodes):
            node.processors = node.hosts = 0
            node.held.clear()
            self._add(max(self.now, node.ready) + stage.load_s, index, "ready")
            if np.isfinite(node.dies):
                self._add(max(node.dies, self.now), index, "dies")
        while self._left:
            event = heapq.heappop(self._events)
            node = self.nodes[event.node]
            if event.epoch == node.epoch:
                self.now = event.at
                self._happen(event, node)
                self._assign()

    def _happen(self, event: _Event, node: _Node) -> None:
        machines = self.machines
        if event.kind == "ready":
            node.processors = machines.cpus
            node.hosts = machines.gpus or machines.hosts
        elif event.kind == "dies":
            self._lose(event.node, node)
        else:
            del node.held[event.number]
            node.processors += event.kind == "measure" or not machines.gpus
            node.hosts += event.kind == "code"
            for at in event.work:
                if event.kind == "code" and _measure(self._stage, self._clips[at]):
                    self._pairs.append(at)
                else:
                    self._left -= 1

    def _lose(self, index: int, node: _Node) -> None:
        """A node is gone: what it held is coded again, and another one comes."""
        self.lost += 1
        self._todo.extendleft(node.held.values())
        node.held.clear()
        node.epoch += 1
        node.processors = node.hosts = 0
        node.ready = self.now + self.troubles.back_s
        node.dies = self._death(node.ready)
        self._add(node.ready + self._stage.load_s, index, "ready")
        self._add(node.dies, index, "dies")

    def _death(self, since: float) -> float:
        rate = self.troubles.losses_an_hour / 3600.0
        return since + float(self.rng.exponential(1 / rate)) if rate else math.inf

    def _assign(self) -> None:
        """Give what is there to who is free: pairs first, as they are in memory."""
        for index, node in enumerate(self.nodes):
            while self._pairs and node.processors:
                node.processors -= 1
                at = self._pairs.popleft()
                spent = _measure(self._stage, self._clips[at])
                self._add(self.now + spent / node.speed, index, "measure", (at,))
            while self._todo and node.hosts and (node.processors or self.machines.gpus):
                node.hosts -= 1
                node.processors -= not self.machines.gpus
                shard = self._todo.popleft()
                spent = sum(
                    _code(self._stage, self._clips[at]) + self.machines.clip_s for at in shard
                )
                self._add(self.now + spent / node.speed, index, "code", shard)

    def _add(self, at: float, index: int, kind: str, work: tuple[int, ...] = ()) -> None:
        self._number += 1
        node = self.nodes[index]
        heapq.heappush(self._events, _Event(at, self._number, index, node.epoch, kind, work))
        if work:
            node.held[self._number] = work
