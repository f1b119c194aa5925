"""From observations to the values of the applications, one evaluator apart from another.

Of the runs that had an evaluator hear a source for a task, the newest says where the source is and
the last whole one there says which clips count, with which labels and trials, by which version of
the evaluator: every codec, and the originals, are scored on those. What is not heard is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqbench.store.reader import Store
from sqbench.store.record import ORIGINAL, Observation, observation_key
from sqbench.tasks.base import Clip, Estimate, Observed, Task, TaskData, Trial
from sqbench.tasks.catalogue import TASKS


@dataclass(frozen=True, kw_only=True)
class Application:
    """What a codec, or the original audio, got in a task.

    Attributes:
        evaluator: its name for tables; ``evaluator_id`` which version of it, with which weights.
        values: by the quantity's name.
        heard: clips with an observation, of ``expected``.
        reasons: why others have none, to count; what was not tried is not in it.
        selected: clips that count, of the ``total`` that the source has.
        sets: clips by set.
    """

    task: str
    evaluator: str
    evaluator_id: str
    values: Mapping[str, Estimate]
    heard: int
    expected: int
    reasons: Mapping[str, int]
    selected: int
    total: int
    sets: Mapping[str, int]

    @property
    def complete(self) -> bool:
        return self.heard == self.expected


Heard = Mapping[tuple[str, str], Application]
"""By task and evaluator."""


def applications(
    store: Store, resamples: Callable[[str], int] = lambda evaluator: 0, *, seed: int = 0
) -> Mapping[tuple[str, str], Heard]:
    """What is known of each codec on each source, by ``(source, codec id)``.

    The original audio has the codec id ``original``.

    Args:
        store: loaded results.
        resamples: evaluator's name to how many bootstrap resamples its intervals rest on; 0 for
            none.
        seed: of the resampling.
    """
    runs: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    codecs: dict[tuple[str, str, str], dict[str, None]] = {}
    for run in store.runs:
        for name, task in run.get("tasks", {}).items():
            if name not in TASKS or task["version"] != TASKS[name].version:
                continue
            key = (run["source"]["name"], name, task["evaluator"])
            runs.setdefault(key, []).append(run)
            codecs.setdefault(key, {ORIGINAL: None}).update(
                dict.fromkeys(codec["codec_id"] for codec in run["codecs"])
            )
    known = {observation["key"]: observation for observation in store.observations}
    found: dict[tuple[str, str], dict[tuple[str, str], Application]] = {}
    for (source, name, evaluator), of_key in runs.items():
        scoring = _Scoring(source, TASKS[name], _in_force(of_key, name), known)
        for codec in codecs[source, name, evaluator]:
            heard = found.setdefault((source, codec), {})
            heard[name, evaluator] = scoring.of(codec, resamples(evaluator), seed)
    return found


def _in_force(runs: Sequence[Mapping[str, Any]], task: str) -> Mapping[str, Any]:
    """The task as the last whole run has it, or the last, where the newest found the source."""
    location = runs[-1]["source"]["location"]
    here = [run["tasks"][task] for run in runs if run["source"]["location"] == location]
    whole = [each for each in here if each["selected"] == each["total"]]
    chosen: Mapping[str, Any] = (whole or here)[-1]
    return chosen


class _Scoring:
    """A task on a source with an evaluator."""

    def __init__(
        self,
        source: str,
        task: Task,
        described: Mapping[str, Any],
        known: Mapping[str, Observation],
    ) -> None:
        self.source, self.task, self.described, self.known = source, task, described, known
        self.data = TaskData(
            clips={
                name: Clip(
                    id=name,
                    dataset=clip["dataset"],
                    label=clip["label"],
                    group=clip["group"],
                    alternative=clip["alternative"],
                )
                for name, clip in described["clips"].items()
            },
            trials={
                name: [Trial(bool(target), a, b) for target, a, b in trials]
                for name, trials in described["trials"].items()
            },
        )
        self.originals = self._observed(ORIGINAL)[0]

    def of(self, codec: str, n_boot: int, seed: int) -> Application:
        observed, reasons = self._observed(codec)
        return Application(
            task=self.task.name,
            evaluator=self.described["evaluator"],
            evaluator_id=self.described["evaluator_id"],
            values=self.task.score(observed, self.originals, self.data, n_boot=n_boot, seed=seed),
            heard=len(observed),
            expected=len(self.data.clips),
            reasons=dict(reasons.most_common()),
            selected=self.described["selected"],
            total=self.described["total"],
            sets=dict(Counter(clip.dataset for clip in self.data.clips.values())),
        )

    def _observed(self, codec: str) -> tuple[dict[str, Observed], Counter[str]]:
        observed: dict[str, Observed] = {}
        reasons: Counter[str] = Counter()
        for name, clip in self.data.clips.items():
            key = observation_key(
                codec,
                self.source,
                name,
                self.described["clips"][name]["sha256"],
                f"{self.task.name} {self.task.version}",
                self.described["evaluator_id"],
                self.task.judgement_of(clip),
            )
            one = self.known.get(key)
            if one is not None and one["observed"] is not None:
                observed[name] = one["observed"]
            elif one is not None:
                reasons[one["reason"] or "no reason given"] += 1
        return observed, reasons
