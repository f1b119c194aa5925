"""Which evaluator hears which clips for which task, and what of that is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqbench.data.base import Source, Utterance
from sqbench.data.choose import in_turn
from sqbench.engine.jobs import Item, item_of
from sqbench.engine.shards import Part
from sqbench.errors import InputError
from sqbench.store.record import observation_key
from sqbench.tasks.base import Clip, Task, TaskData
from sqbench.tasks.catalogue import TASKS
from sqbench.tasks.evaluators.base import Evaluator, Setting
from sqbench.tasks.evaluators.catalogue import Choice


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A task, its clips, and who listens.

    Attributes:
        label: the evaluator's name for tables.
        items: the clips' utterances with their hashes, by id, in the order of the source.
        total: how many clips the source has; ``items`` are fewer with a limit.
        mine: clips that this run has heard, of a shard; all where it is ``None``.
    """

    task: Task
    evaluator: Evaluator
    label: str
    source: str
    data: TaskData
    items: Mapping[str, Item]
    total: int
    mine: frozenset[str] | None = None

    @cached_property
    def evaluator_id(self) -> str:
        return self.evaluator.id

    def key(self, codec: str, clip: Clip) -> str:
        """Key of an observation; ``codec`` is a `codec_id` or ``original``."""
        return observation_key(
            codec,
            self.source,
            clip.id,
            self.items[clip.id].audio_sha256,
            f"{self.task.name} {self.task.version}",
            self.evaluator_id,
            self.task.judgement_of(clip),
        )

    def missing(self, codec: str, done: Collection[str]) -> list[Clip]:
        """The clips of this run without an observation among the keys ``done``."""
        return [clip for clip in self.clips if self.key(codec, clip) not in done]

    @cached_property
    def clips(self) -> list[Clip]:
        """The clips that this run has heard."""
        every = self.data.clips.values()
        return [clip for clip in every if self.mine is None or clip.id in self.mine]

    def describe(self) -> dict[str, Any]:
        """JSON-able, for the run record: all that scores are made with beside observations."""
        return {
            "version": self.task.version,
            "evaluator": self.label,
            "evaluator_id": self.evaluator_id,
            "identity": dict(self.evaluator.identity),
            "total": self.total,
            "selected": len(self.items),
            "clips": {
                clip.id: {
                    "sha256": self.items[clip.id].audio_sha256,
                    "dataset": clip.dataset,
                    "label": clip.label,
                    "group": clip.group,
                    "alternative": clip.alternative,
                }
                for clip in self.data.clips.values()
            },
            "trials": {
                name: [[int(trial.target), trial.a, trial.b] for trial in trials]
                for name, trials in self.data.trials.items()
            },
        }


def assign(
    source: Source,
    choices: Mapping[str, Choice],
    *,
    limit: int | None = None,
    device: str = "cpu",
    known: Iterable[Item] = (),
    part: Part | None = None,
) -> list[Assignment]:
    """Give each task that the source has clips for to its evaluator.

    Args:
        choices: an evaluator by task.
        limit: at most that many clips of each set, of its labels in turn.
        known: utterances that are hashed already.
        part: of a shard; clips that metrics measure are heard by the shard that codes them, the
            others are shared out. All are hashed, since values need the whole lists.

    Raises:
        InputError: no task has clips, a package or a model is missing, or the source's lists and
            files contradict each other.
    """
    hashed = {item.utterance.id: item for item in known}
    chosen = []
    for name, choice in choices.items():
        data, utterances = TASKS[name].data(source)
        if kept := _limited(TASKS[name], data, limit):
            chosen.append((TASKS[name], choice, data, {key: utterances[key] for key in kept}))
    mine = None if part is None else _mine(part, [clips for *_, clips in chosen])
    found = []
    for task, choice, data, clips in chosen:
        items = {}
        for key, utterance in clips.items():
            # One reading a file, whatever the number of tasks.
            item = hashed.get(key) or item_of(utterance, ())
            hashed[key] = item
            items[key] = item
        selected = task.selected(data, clips)
        setting = Setting(
            source=choice.source,
            device=device,
            data=selected,
            hashes={key: item.audio_sha256 for key, item in items.items()},
        )
        assignment = Assignment(
            task=task,
            evaluator=choice.entry.build(setting),
            label=choice.label,
            source=source.name,
            data=selected,
            items=items,
            total=len(data.clips),
            mine=mine,
        )
        _ = assignment.evaluator_id  # a model that is not there must not cost a codec's time
        found.append(assignment)
    if not found:
        raise InputError(
            f"data {source.location}",
            expected=f"clips for {', '.join(choices)}: the folders of the official layout, or "
            "labels text, speaker, emotion (or style), event (or category)",
            found="none",
        )
    return found


def _mine(part: Part, tasks: Iterable[Mapping[str, Utterance]]) -> frozenset[str]:
    """The clips of tasks that this shard has heard, each by one shard for all tasks."""
    clips = {key: clip for of_task in tasks for key, clip in of_task.items()}
    coded = set(part.listed)
    return part.mine | part.shard.share(clip for key, clip in clips.items() if key not in coded)


def _limited(task: Task, data: TaskData, limit: int | None) -> list[str]:
    """Clips of a task, at most ``limit`` of each set, of its labels in turn."""
    if limit is None:
        return list(data.clips)
    sets: dict[str, list[Clip]] = {}
    for clip in data.clips.values():
        sets.setdefault(clip.dataset, []).append(clip)
    kept = {
        clip.id
        for of_set in sets.values()
        for clip in in_turn(of_set, limit, lambda clip: clip.label, at_once=task.at_once)
    }
    return [name for name in data.clips if name in kept]
