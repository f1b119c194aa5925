"""What a run is asked to do, and what it says it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sqbench.data.pairing import saved_names
from sqbench.engine.assignment import Assignment
from sqbench.engine.jobs import Selection
from sqbench.engine.options import Options
from sqbench.engine.systems.base import System
from sqbench.metrics.base import Metric
from sqbench_codecs import Codec


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run is to do.

    Attributes:
        codecs: names, codecs that are loaded already, or other systems.
        selection: the utterances.
        metrics: what to measure, by how a worker asks the registry for it (``file.py:Class``).
        assignments: the applications.
    """

    codecs: Sequence[str | Codec | System]
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

    @cached_property
    def file_names(self) -> dict[str, str]:
        """Clip to the relative path that its decoded audio is kept under."""
        return saved_names(sorted(self.utterances))

    @property
    def references(self) -> dict[str, str]:
        """Metric name to how a worker asks the registry for it."""
        return {metric.name: asked for asked, metric in self.metrics.items()}


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        scored: scores made.
        kept: score records that were there already.
        predicted: predictions of evaluators written.
        predicted_kept: predictions that were there already.
        failed: records without a score (failed or undefined), among those of this run's plan.
        unpredicted: predictions that failed, among those of this run's plan.
        unloaded: codecs that could not be loaded, with the reason.
        run_id: of the run's folder; empty if nothing was to be written.
        remarks: what a user should know in the end.
    """

    scored: int = 0
    kept: int = 0
    predicted: int = 0
    predicted_kept: int = 0
    failed: int = 0
    unpredicted: int = 0
    unloaded: dict[str, str] = field(default_factory=dict)
    run_id: str = ""
    remarks: list[str] = field(default_factory=list)
