"""A plan: stages with their costs, and what so many nodes make of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sqbench.data.base import Source
from sqbench.engine.assignment import assign
from sqbench.engine.options import Options
from sqbench.engine.shards import seconds_of
from sqbench.errors import InputError
from sqbench.planning import costs, simulate
from sqbench.planning.costs import Clip, Stage
from sqbench.planning.prices import Prices
from sqbench.planning.simulate import Machines, Troubles
from sqbench.store.reader import Store
from sqbench.suites import APPLICATIONS, metrics_of
from sqbench.tasks.evaluators import catalogue

Stages = list[tuple[Stage, list[Clip]]]

DRAWS = 20
"""Simulations with different luck."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What so many nodes take.

    Attributes:
        hours: of all draws the middle one; ``low`` and ``high`` bound nine in ten.
        node_hours: that are paid for.
        money: ``None`` without prices.
        memory_gb: that a node needs; ``None`` where no process told.
        busy: share of processors' time that is work.
        lost: nodes lost, on average.
    """

    nodes: int
    hours: float
    low: float
    high: float
    node_hours: float
    money: float | None
    memory_gb: float | None
    busy: float
    lost: float


def stages(
    codecs: Sequence[str],
    source: Source,
    options: Options,
    *,
    count: int,
    store: Store | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Stages:
    """Measure what a run would do.

    Args:
        count: clips to measure on.
        store: results to take codecs' times from.
        say: told what is being measured.

    Raises:
        InputError: no clips.
    """
    metrics = metrics_of(options.suite, options.metrics)
    items = costs.sample(source, count)
    if not any(item.problem is None for item in items):
        raise InputError(f"data {source.location}", expected="clips to measure", found="none")
    readable = [item for item in items if item.problem is None]
    every = costs.clips_of(source)
    found: Stages = []
    for codec in codecs:
        say(f"measuring {codec}")
        found.append((costs.codec_stage(codec, readable, metrics, options, store), every))
    if options.suite in APPLICATIONS:
        choices = catalogue.choose(options.evaluators or catalogue.DEFAULT)
        for name, choice in choices.items():
            say(f"measuring {name} by {choice.label}")
            try:
                (one,) = assign(source, {name: choice}, device=options.devices[0])
            except InputError as error:
                found.append((Stage(name=f"{name} by {choice.label}", problem=str(error)), []))
                continue
            heard = [
                Clip(seconds_of(one.items[clip.id].utterance), one.task.category)
                for clip in one.clips
            ]
            # Every codec's output is heard, and the originals.
            found.append((costs.evaluator_stage(one, count), heard * (1 + len(codecs))))
    return found


def forecast(
    planned: Stages,
    machines: Machines,
    *,
    troubles: Troubles | None = None,
    prices: Prices | None = None,
    batch: int = 8,
    seed: int = 0,
) -> Forecast:
    """Simulate a run, `DRAWS` times where luck has a part."""
    known = [(stage, clips) for stage, clips in planned if not stage.problem]
    lucky = troubles is None or not (troubles.slow_share or troubles.losses_an_hour)
    runs = [
        simulate.simulate(known, machines, troubles, batch=batch, seed=seed + draw)
        for draw in range(1 if lucky else DRAWS)
    ]
    hours = np.array([run.wall_s for run in runs]) / 3600.0
    middle = float(np.median(hours))
    peaks = [stage.memory_gb for stage, _ in known if stage.memory_gb is not None]
    held = machines.gpus or machines.hosts
    node_hours = middle * machines.count
    processors = machines.count * machines.cpus
    return Forecast(
        nodes=machines.count,
        hours=middle,
        low=float(np.quantile(hours, 0.05)),
        high=float(np.quantile(hours, 0.95)),
        node_hours=node_hours,
        money=None if prices is None else prices.of(node_hours),
        memory_gb=held * max(peaks) + machines.cpus * WORKER_GB if peaks else None,
        busy=simulate.work(known) / max(1e-9, middle * 3600.0 * processors),
        lost=float(np.mean([run.lost for run in runs])),
    )


WORKER_GB = 0.3
"""Of a process that measures, with the packages of the signal suite."""
