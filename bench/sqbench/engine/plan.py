"""What a run is asked to do, and what it says it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqbench.engine.assignment import Assignment
from sqbench.engine.jobs import Selection
from sqbench.metrics.base import Metric
from sqbench.metrics.protocol import DEFAULT
from sqbench_codecs import Codec


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a run is done.

    Attributes:
        suite: which metrics, unless ``metrics`` names them, and whether applications.
        evaluators: who listens, for applications (`sqbench.tasks.evaluators.catalogue.choose`).
        protocol: the scoring rules.
        weights: ``auto``, ``official``, ``official@REV``, ``bundled`` or a path, for codecs given
            by name.
        limit: at most that many utterances of each set.
        workers: processes that measure; values do not depend on it.
        device: of the codecs and the evaluators.
        batch_size: utterances that a codec is handed at once; values do not depend on it.
        seed: of the random numbers of codecs that draw some.
        force: compute again what is there.
        save_audio: write every decoded clip beside the records.
        command: kept in the run record.
    """

    suite: str = "signal"
    metrics: Sequence[str] | None = None
    evaluators: str | None = None
    protocol: str = DEFAULT
    weights: str = "auto"
    limit: int | None = None
    workers: int = 2
    device: str = "cpu"
    batch_size: int = 8
    seed: int = 0
    force: bool = False
    save_audio: bool = False
    command: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run is to do.

    Attributes:
        codecs: names, or codecs that are loaded already.
        selection: the utterances.
        metrics: what to measure, by how a worker asks the registry for it (``file.py:Class``).
        assignments: the applications.
    """

    codecs: Sequence[str | Codec]
    selection: Selection
    metrics: Mapping[str, Metric]
    assignments: Sequence[Assignment] = ()
    out: Path
    options: Options

    @property
    def utterances(self) -> frozenset[str]:
        """Ids of all that a codec has to code."""
        signal = {item.utterance.id for item in self.selection.items}
        return frozenset(signal.union(*(each.items for each in self.assignments)))

    @property
    def references(self) -> dict[str, str]:
        """Metric name to how a worker asks the registry for it."""
        return {metric.name: asked for asked, metric in self.metrics.items()}


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        computed: score records written.
        kept: score records that were there already.
        observed: observations of evaluators written.
        observed_kept: observations that were there already.
        failed: records without a score (failed or undefined), among those of this run's plan.
        unheard: observations that failed, among those of this run's plan.
        unloaded: codecs that could not be loaded, with the reason.
    """

    computed: int = 0
    kept: int = 0
    observed: int = 0
    observed_kept: int = 0
    failed: int = 0
    unheard: int = 0
    unloaded: dict[str, str] = field(default_factory=dict)
