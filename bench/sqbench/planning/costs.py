"""What a clip costs: measured on a few clips here, or taken from results that are there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sqbench.data.base import Source
from sqbench.data.choose import spread
from sqbench.engine.assignment import Assignment
from sqbench.engine.jobs import Item, item_of
from sqbench.engine.measure import ArrayTask
from sqbench.engine.options import Options
from sqbench.engine.pool import Failure, ProcessPool
from sqbench.engine.predict import original
from sqbench.engine.shards import seconds_of
from sqbench.engine.systems.base import Lost, Reconstruction, System, why
from sqbench.engine.systems.codec import CodecSystem
from sqbench.engine.systems.opening import open_system
from sqbench.engine.systems.process import ProcessRunner
from sqbench.metrics.base import Metric
from sqbench.store.reader import Store
from sqbench.tasks.evaluators.base import Evaluator


@dataclass(frozen=True)
class Line:
    """Seconds that a clip takes: ``fixed``, and ``each`` for a second of audio."""

    fixed: float
    each: float

    def __call__(self, seconds: float) -> float:
        return self.fixed + self.each * seconds


def fitted(pairs: Sequence[tuple[float, float]]) -> Line:
    """The line through (seconds of audio, seconds spent), neither of its parts negative."""
    from scipy.optimize import nnls

    audio, spent = np.array(pairs, float).T
    # Sums are what a plan adds up: the fit must have the mean right.
    (fixed, each), _ = nnls(np.stack([np.ones_like(audio), audio], 1), spent)
    scale = spent.sum() / max(1e-12, fixed * len(audio) + each * audio.sum())
    return Line(float(fixed * scale), float(each * scale))


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One codec with its metrics, or one evaluator.

    Attributes:
        load_s: until it can begin.
        code: a clip through the codec; of an evaluator, hearing it.
        measure: metrics of a clip, by category; nothing for an evaluator.
        memory_gb: of the process that holds it, at its peak; ``None`` where it is not known.
        clips: how many clips it gets.
        origin: where the numbers are from.
        problem: why there are none.
    """

    name: str
    load_s: float = 0.0
    code: Line = Line(0.0, 0.0)
    measure: dict[str, Line] = field(default_factory=dict)
    memory_gb: float | None = None
    origin: str = "measured here"
    problem: str = ""


@dataclass(frozen=True)
class Clip:
    """A clip as a plan knows it."""

    seconds: float
    category: str


def clips_of(source: Source) -> list[Clip]:
    """Every clip of a source with its length by its header."""
    return [Clip(seconds_of(each), each.category) for each in source.utterances()]


def sample(source: Source, count: int) -> list[Item]:
    """Some clips to measure, spread over the sets."""
    return [item_of(each, ()) for each in spread(source, count)]


def codec_stage(
    codec: str,
    items: Sequence[Item],
    metrics: dict[str, Metric],
    options: Options,
    store: Store | None,
) -> Stage:
    """What a codec and its metrics cost.

    Args:
        metrics: by how a worker asks for them.
        store: results to take the codec's times from, if it is there; metrics are measured here.
    """
    begin = time.perf_counter()
    try:
        system = open_system(codec, options)
    except Exception as error:  # a codec may be anybody's code
        return Stage(name=codec, problem=why(error))
    load_s = time.perf_counter() - begin
    with closing(system):
        made = list(_made(system, items))
        if not made:
            return Stage(name=codec, problem="none of the clips came through")
        times = _of_store(store, system) if store is not None else []
        here = [(one.coded.duration_s, _spent(one)) for one in made]
        return Stage(
            name=system.name,
            load_s=load_s,
            code=fitted(times or here),
            measure=_measured(made, metrics, options.protocol),
            memory_gb=_memory_gb(system),
            origin=f"results ({len(times)} clips)" if times else f"{len(made)} clips here",
        )


def _made(system: System, items: Sequence[Item]) -> Iterator[Reconstruction]:
    """Clips one by one; the first twice, as it pays for what is made once."""
    first = True
    for one in system.reconstruct(iter([[item] for item in [items[0], *items]])):
        if not first and not isinstance(one, Lost):
            yield one
        first = False


def _spent(one: Reconstruction) -> float:
    return (one.coded.encode_s or 0.0) + (one.coded.decode_s or 0.0)


def _of_store(store: Store, system: System) -> list[tuple[float, float]]:
    return [
        (record["duration_s"], (record["encode_s"] or 0.0) + (record["decode_s"] or 0.0))
        for record in store.records
        if record["kind"] == "coding"
        and record["codec"] == system.name
        and record["duration_s"]
        and record["encode_s"] is not None
    ]


def _measured(
    made: Sequence[Reconstruction], metrics: dict[str, Metric], protocol: str
) -> dict[str, Line]:
    found: dict[str, list[tuple[float, float]]] = {}
    tasks, kinds = [], []
    for one in made:
        category = one.item.utterance.category
        wanted = tuple(asked for asked, metric in metrics.items() if metric.is_for(category))
        if wanted:
            kinds.append((category, one.coded.duration_s))
            tasks.append(
                ArrayTask(
                    reference=one.reference,
                    reference_rate=one.reference_rate,
                    estimate=np.asarray(one.estimate, np.float32),
                    estimate_rate=one.estimate_rate,
                    metrics=wanted,
                    protocol=protocol,
                )
            )
    if not tasks:
        return {}
    with ProcessPool(1) as pool:
        # The first one imports; it is measured again.
        for index, spent in pool.map(_timed, [tasks[0], *tasks]):
            if index and not isinstance(spent, Failure):
                category, seconds = kinds[index - 1]
                found.setdefault(category, []).append((seconds, spent))
    return {category: fitted(pairs) for category, pairs in found.items()}


def _timed(task: ArrayTask) -> float:
    """What a worker runs: how long a task takes."""
    begin = time.perf_counter()
    task.run()
    return time.perf_counter() - begin


def evaluator_stage(assignment: Assignment, count: int) -> Stage:
    """What an evaluator costs, on the first clips that it would hear."""
    evaluator: Evaluator = assignment.evaluator
    name = f"{assignment.task.name} by {assignment.label}"
    begin = time.perf_counter()
    try:
        evaluator.load(lambda clip: evaluator.resample(*original(assignment.items[clip])))
        load_s = time.perf_counter() - begin
        pairs = []
        clips = assignment.clips[:count]
        for number, clip in enumerate([clips[0], *clips]):
            samples, rate = original(assignment.items[clip.id])
            begin = time.perf_counter()
            evaluator.predict([evaluator.resample(samples, rate)], [clip])
            if number:
                pairs.append((len(samples) / rate, time.perf_counter() - begin))
    except Exception as error:  # a model may be anybody's
        return Stage(name=name, problem=why(error))
    finally:
        evaluator.close()
    return Stage(name=name, load_s=load_s, code=fitted(pairs), origin=f"{len(pairs)} clips here")


def _memory_gb(system: System) -> float | None:
    """Peak memory of the process that holds a codec, where the kernel tells (Linux)."""
    runner: Any = system.runner if isinstance(system, CodecSystem) else None
    if not isinstance(runner, ProcessRunner):
        return None
    peaks = [_peak(pid) for pid in runner.pids]
    return max((peak for peak in peaks if peak is not None), default=None)


def _peak(pid: int) -> float | None:
    try:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**20
    except (OSError, ValueError):
        pass  # not Linux, or gone
    return None
