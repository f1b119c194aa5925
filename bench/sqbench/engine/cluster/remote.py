"""What runs on the nodes of a cluster. Nothing of Ray's is imported here but to fetch bytes.

Codecs and metrics run in processes of their own here too (`sqbench.engine.systems.process`,
`sqbench.engine.pool`): what kills or hangs them is told in the same words as on one machine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqbench.engine.jobs import Item
from sqbench.engine.measure import ArrayTask, measure_all
from sqbench.engine.options import Options
from sqbench.engine.pool import Failure, ProcessPool
from sqbench.engine.predict import original, together
from sqbench.engine.systems.base import Coded, Lost, System, why
from sqbench.engine.systems.opening import open_system
from sqbench.errors import InputError
from sqbench.metrics.measure import Measurement
from sqbench.tasks.base import Clip
from sqbench.tasks.evaluators.base import Evaluator, Waveform, WorkerEvaluator


@dataclass(frozen=True)
class Place:
    """Where the run was started: nodes that have the same folders read their files there.

    Attributes:
        courier: an actor on that machine, which reads what a node does not have.
    """

    courier: Any = None
    folder: str = field(default_factory=os.getcwd)
    path: tuple[str, ...] = field(default_factory=lambda: tuple(sys.path))
    threads: str | None = field(default_factory=lambda: os.environ.get("OMP_NUM_THREADS"))

    def settle(self) -> None:
        """Make this process as the one that started the run, as far as the node allows it."""
        with suppress(OSError):
            os.chdir(self.folder)
        sys.path += [each for each in self.path if each not in sys.path]
        # Ray sets one thread; a codec gets what it would have had without Ray.
        if self.threads is None:
            os.environ.pop("OMP_NUM_THREADS", None)
        else:
            os.environ["OMP_NUM_THREADS"] = self.threads

    def found(self, item: Item) -> Item:
        """The item, its bytes fetched when they are read if its file is not on this node."""
        clip = item.utterance
        if clip.path is None or clip.payload is not None or clip.path.exists():
            return item
        # A clip that is all of its file is known to be by its hash; asking the file is no use.
        whole = replace(clip, payload=partial(_fetched, self.courier, str(clip.path)))
        return replace(item, utterance=whole)


class Courier:
    """Reads files where the run was started."""

    def __init__(self, folder: str) -> None:
        os.chdir(folder)

    def content(self, path: str) -> bytes | OSError:
        """Bytes of a file, or why there are none."""
        try:
            return Path(path).read_bytes()
        except OSError as error:
            return error


@lru_cache(maxsize=4)
def _fetched(courier: Any, path: str) -> bytes:
    """A file of another machine; the last few are kept, as many clips may lie in one."""
    import ray

    found = ray.get(courier.content.remote(path))
    if isinstance(found, OSError):
        raise found
    content: bytes = found
    return content


@dataclass(frozen=True)
class Description:
    """What a codec turned out to be on a node, or why it could not be loaded."""

    description: dict[str, Any]
    unknown: Sequence[str] = ()
    cost: Mapping[str, float | None] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class Sent:
    """A clip that was coded; its audio travels apart."""

    coded: Coded
    reference_rate: int
    estimate_rate: int


Answer = tuple[Any, ...]
"""A list with a `Sent`, or why there is none, for each clip; then the two waveforms of each."""


class CodecHost:
    """Holds a codec on a node."""

    def __init__(self, codec: str, options: Options, place: Place) -> None:
        place.settle()
        self.place = place
        self.system: System | None = None
        self.problem = ""
        try:
            self.system = open_system(codec, options)
        except Exception as error:  # a codec may be anybody's code
            self.problem = why(error)

    def ready(self) -> Description:
        """What is held."""
        if self.system is None:
            return Description({}, problem=self.problem)
        system = self.system
        return Description(system.description, system.unknown, system.cost())

    def code(self, items: Sequence[Item]) -> Answer:
        """Code clips together."""
        assert self.system is not None, "nothing is loaded"
        told: list[Sent | str] = []
        audio: list[NDArray[Any] | None] = []
        for one in self.system.reconstruct(iter([[self.place.found(item) for item in items]])):
            if isinstance(one, Lost):
                told.append(one.reason)
                audio += [None, None]
            else:
                told.append(Sent(one.coded, one.reference_rate, one.estimate_rate))
                audio += [one.reference, one.estimate]
        return (told, *audio)

    def log(self) -> str:
        """See `System.log`."""
        return "" if self.system is None else self.system.log()

    def close(self) -> None:
        """End the codec's process."""
        if self.system is not None:
            self.system.close()


def measure(
    reference: NDArray[np.float64],
    estimate: NDArray[np.floating],
    sent: Sent,
    metrics: tuple[str, ...],
    protocol: str,
) -> list[Measurement]:
    """Measure a pair: a measurement per metric."""
    task = ArrayTask(
        reference=reference,
        reference_rate=sent.reference_rate,
        estimate=np.asarray(estimate),
        estimate_rate=sent.estimate_rate,
        metrics=metrics,
        protocol=protocol,
    )
    ((_, measured),) = measure_all(_worker(), [task])
    return measured


def call(function: Callable[[Any], Any], item: Any) -> Any:
    """A function's result for an item, or a `Failure`."""
    ((_, outcome),) = _worker().map(function, [item])
    return outcome


@lru_cache(maxsize=1)
def _worker() -> ProcessPool:
    """The process in which this one has metrics measured: as on one machine, it may die."""
    return ProcessPool(1)


class Listener:
    """Holds an evaluator on a node.

    Args:
        items: the original clips, by id, for an evaluator that learns from them.
    """

    def __init__(self, evaluator: Evaluator, items: Mapping[str, Item], place: Place) -> None:
        place.settle()
        self.evaluator = evaluator
        self.problem = ""
        self.pool = ProcessPool(1)

        def read(name: str) -> Waveform:
            return evaluator.resample(*original(place.found(items[name])))

        try:
            evaluator.load(read)
        except InputError as error:
            self.problem = str(error)

    def ready(self) -> str:
        """Why it cannot listen; empty if it can."""
        return self.problem

    def hear(
        self, waveforms: Sequence[Waveform], clips: Sequence[Clip]
    ) -> list[Mapping[str, Any] | str]:
        """What is heard in each waveform, or why nothing is."""
        if isinstance(self.evaluator, WorkerEvaluator):
            heard: dict[int, Any] = dict(self.pool.map(self.evaluator.listener(), waveforms))
            found = [heard[index] for index in range(len(waveforms))]
            return [one.reason if isinstance(one, Failure) else one for one in found]
        said = together(self.evaluator, list(zip(waveforms, clips, strict=True)))
        return [why(one) if isinstance(one, Exception) else one for one in said]

    def close(self) -> None:
        """Give memory back."""
        self.pool.close()
        self.evaluator.close()
