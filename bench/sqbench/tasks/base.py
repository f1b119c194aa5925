"""The task contract: which clips a task covers, and how observations of them become values.

An evaluator (`sqbench.tasks.evaluators`) observes a waveform: a hypothesis, an embedding, a
posterior. A task knows the labels, judges each observation against them, and scores all of them
together. Observing is dear and done once a clip; scoring is cheap and done when a table is made.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal

from sqbench.data.base import ALL, Source, Utterance
from sqbench.data.slt import SLTSource
from sqbench.statistics import N_BOOT, Interval

Observed = Mapping[str, Any]
"""What is known of one clip: JSON-able, by field."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """What a task knows of an utterance.

    Attributes:
        id: the utterance's.
        dataset: the set or split it is of.
        label: the truth: a transcript, a class, a speaker.
        group: what must not be on both sides of a fold, and what intervals resample by where
            that is not the clip: a speaker, a recording. The clip itself by default.
        alternative: the truth by a second rule; empty where there is none.
    """

    id: str
    dataset: str
    label: str
    group: str = ""
    alternative: str = ""


@dataclass(frozen=True)
class Trial:
    """A question of speaker verification: are clips ``a`` and ``b`` of one speaker."""

    target: bool
    a: str
    b: str


@dataclass(frozen=True, kw_only=True)
class TaskData:
    """The clips of a task in a source, by id, and the trials by list (speakers only)."""

    clips: Mapping[str, Clip]
    trials: Mapping[str, Sequence[Trial]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value of a task.

    Attributes:
        value: ``None`` where there is none.
        interval: 95 %, by bootstrap; says why where there is none.
        n: clips (trials, for speakers) that it rests on, ``expected`` how many there should be.
        parts: values of the sets or lists, where ``value`` is taken over several.
        left_out: why clips that were heard have no part in it, to how many.
    """

    value: float | None
    interval: Interval
    n: int
    expected: int
    parts: Mapping[str, float | None] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One of the numbers that a task gives.

    Attributes:
        name: ``wer``; the first of a task is the one that tables show.
        title: for people.
        unit: ``%`` or nothing.
        direction: which way is better; ``None`` where that is not a question.
        meaning: a few words.
        shown: whether tables have a column for it; files and JSON have all.
        digits: behind the point, where a table shows it.
    """

    name: str
    title: str
    unit: str
    direction: Literal["higher", "lower"] | None
    meaning: str
    shown: bool = False
    digits: int = 1


class Task(ABC):
    """One application.

    Attributes:
        name: ``asr``.
        version: raised when values may change; part of every observation's key.
        labels: columns of a manifest that hold the truth, the first that is there counts.
        category: of the clips of a manifest that it is for.
        quantities: what `score` returns, the reported one first.
        at_once: clips of a label that make sense together where only some are taken.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    labels: ClassVar[tuple[str, ...]]
    category: ClassVar[str]
    quantities: ClassVar[tuple[Quantity, ...]]
    at_once: ClassVar[int] = 1

    def data(self, source: Source) -> tuple[TaskData, dict[str, Utterance]]:
        """The clips that the task covers in a source, and their utterances, by id.

        Of the official layout its folder; of any other source the clips with the task's label.

        Raises:
            InputError: files and lists of the official layout contradict each other.
        """
        if isinstance(source, SLTSource):
            return self.official(source)
        return self.labelled(source.utterances())

    @abstractmethod
    def official(self, source: SLTSource) -> tuple[TaskData, dict[str, Utterance]]:
        """The clips of the official layout; none where its folder is not there."""

    def labelled(self, utterances: Iterable[Utterance]) -> tuple[TaskData, dict[str, Utterance]]:
        """The clips with a label, of any other source."""
        clips: dict[str, Clip] = {}
        found: dict[str, Utterance] = {}
        for utterance in utterances:
            label = first(utterance.labels, self.labels)
            # A label of the task says what nothing else does.
            if label and utterance.category in (self.category, ALL):
                found[utterance.id] = utterance
                clips[utterance.id] = self.clip(utterance, label)
        return TaskData(clips=clips), found

    def clip(self, utterance: Utterance, label: str) -> Clip:
        """A clip of a manifest."""
        return Clip(
            id=utterance.id,
            dataset=utterance.dataset,
            label=label,
            group=first(utterance.labels, ("speaker", "group", "src_file")) or utterance.id,
        )

    def selected(self, data: TaskData, ids: Iterable[str]) -> TaskData:
        """The part of the data that these clips make up."""
        kept = set(ids)
        return TaskData(clips={k: clip for k, clip in data.clips.items() if k in kept})

    def judgement_of(self, clip: Clip) -> str:
        """What `judge` depends on beside the observation; part of the observation's key."""
        return ""

    def judge(self, observed: Observed, clip: Clip) -> dict[str, Any]:
        """An observation with what the truth says of it.

        One that was judged already, by another clip's truth, is judged as if it had not been.
        """
        return dict(observed)

    @abstractmethod
    def score(
        self,
        observed: Mapping[str, Observed],
        originals: Mapping[str, Observed],
        data: TaskData,
        *,
        n_boot: int = N_BOOT,
        seed: int = 0,
    ) -> dict[str, Estimate]:
        """The quantities, by name.

        Args:
            observed: of a codec's output, by clip; clips without one are counted as missing.
            originals: of the original audio.
            data: the truth.
        """


def first(labels: Mapping[str, str], names: Iterable[str]) -> str:
    """The first of these labels that is there; empty if none is."""
    return next((labels[name] for name in names if labels.get(name)), "")


def utterance(source: SLTSource, name: str, *, dataset: str, category: str) -> Utterance:
    """A file of the official layout beside ``samples``; its id is its path below the root."""
    return Utterance(
        id=PurePosixPath(name).as_posix(),
        dataset=dataset,
        category=category,
        domain="speech" if category == "speech" else "general",
        path=source.root / name,
    )
