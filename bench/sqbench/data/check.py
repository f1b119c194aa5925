"""What ``sqbench data check`` finds: which sets are there, whole and readable."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from sqbench.errors import InputError

from .. import audio
from .base import Source, Utterance
from .resolve import open_source
from .slt import (
    FULL_SIZES,
    OFFICIAL_SETS,
    TASK_FOLDERS,
    SLTSource,
    ignored_names,
    sample_names,
    set_folders,
)

Kind = Literal[
    "missing", "unreadable", "cut off", "damaged", "empty", "non-finite", "scale", "silent"
]
"""Those of `sqbench.audio.AudioError`, and audio of zeros."""


@dataclass(frozen=True, kw_only=True)
class FileProblem:
    """A clip that cannot be scored, and why."""

    id: str
    kind: Kind
    detail: str


@dataclass(frozen=True, kw_only=True)
class SetReport:
    """One set.

    Attributes:
        name: the set.
        category: ``speech`` or ``audio``; ``None`` where nothing states it.
        official: one of the protocol's eleven.
        files: how many clips.
        duration_s: seconds of the readable ones.
        sample_rates: rate in Hz to number of clips.
        channels: channel count to number of clips (only the first channel is scored).
        problems: the clips that cannot be scored.
        full: how many clips the data set has where it is published, if that is known.
        remarks: id, and what is odd about a clip that can be scored.
        ignored: names in the set's folder that the layout does not read.
        error: why the set as a whole cannot be used, or ``None``.
    """

    name: str
    category: str | None
    official: bool
    files: int
    duration_s: float
    sample_rates: dict[int, int]
    channels: dict[int, int]
    problems: tuple[FileProblem, ...]
    full: int | None = None
    remarks: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()
    error: str | None = None

    @property
    def complete(self) -> bool:
        """At least one clip, and every clip can be scored."""
        return self.files > 0 and not self.problems and self.error is None


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """A source as found.

    Attributes:
        name, location: of the source.
        sets: one report a set, by name.
        missing_sets: the official sets that are not there, or empty (official layout only).
        task_folders: folder of an application to whether it exists (official layout only).
        unread: files beside the clips that are not read, by relative path.
    """

    name: str
    location: str
    sets: tuple[SetReport, ...]
    missing_sets: tuple[str, ...] = ()
    task_folders: dict[str, bool] | None = None
    unread: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Everything that is there can be scored, and something is."""
        present = [report for report in self.sets if report.files or report.error]
        return bool(present) and all(report.complete for report in present)


def check(source: Source | str | Path, *, domain: str | None = None) -> CheckReport:
    """Read every clip of a source and report on each set.

    Args:
        source: a source, or what `open_source` takes.
        domain: for `open_source`.

    Raises:
        InputError: nothing of that name, or a manifest that cannot be read.
    """
    if not isinstance(source, Source):
        source = open_source(str(source), domain=domain)
    if isinstance(source, SLTSource):
        return _check_layout(source)
    tallies: dict[str, _Tally] = {}
    for utterance in source.utterances():
        tally = tallies.setdefault(utterance.dataset, _Tally(utterance.dataset, utterance.category))
        tally.add(utterance)
    return CheckReport(
        name=source.name,
        location=source.location,
        sets=tuple(tallies[name].report() for name in sorted(tallies)),
        unread=source.unread(),
    )


def _check_layout(source: SLTSource) -> CheckReport:
    reports = []
    for folder in set_folders(source.root):
        names = sample_names(folder)
        ignored = tuple(ignored_names(folder))
        try:
            clips = source.one_set(folder)
        except InputError as error:
            category = OFFICIAL_SETS.get(folder.name)
            tally = _Tally(folder.name, category, official=category is not None)
            reports.append(tally.report(files=len(names), ignored=ignored, error=str(error)))
            continue
        category = clips[0].category if clips else OFFICIAL_SETS.get(folder.name)
        tally = _Tally(folder.name, category, official=folder.name in OFFICIAL_SETS)
        for clip in clips:
            tally.add(clip)
        reports.append(tally.report(ignored=ignored))
    present = {report.name for report in reports if report.files}
    return CheckReport(
        name=source.name,
        location=source.location,
        sets=tuple(reports),
        missing_sets=tuple(name for name in OFFICIAL_SETS if name not in present),
        task_folders={name: (source.root / name).is_dir() for name in TASK_FOLDERS},
    )


class _Tally:
    """Counts over the clips of one set."""

    def __init__(self, name: str, category: str | None, *, official: bool = False) -> None:
        self.name, self.category, self.official = name, category, official
        self.files = 0
        self.seconds: list[float] = []
        self.rates: Counter[int] = Counter()
        self.channels: Counter[int] = Counter()
        self.problems: list[FileProblem] = []
        self.remarks: list[tuple[str, str]] = []

    def add(self, clip: Utterance) -> None:
        self.files += 1
        try:
            samples, rate = clip.read()
        except Exception as error:  # bytes may come from anywhere, and the other clips still count
            told = isinstance(error, InputError | OSError)
            detail = str(error) if told else f"{clip.id}: {type(error).__name__}: {error}"
            self.problems.append(FileProblem(id=clip.id, kind=_kind(error), detail=detail))
            return
        self.seconds.append(samples.shape[0] / rate)
        self.rates[rate] += 1
        self.channels[1 if samples.ndim == 1 else samples.shape[1]] += 1
        if not np.any(audio.first_channel(samples)):
            detail = "every sample of the first channel is zero"
            self.problems.append(FileProblem(id=clip.id, kind="silent", detail=detail))
        self.remarks += [(clip.id, remark) for remark in audio.remarks(samples, rate)]

    def report(
        self, *, files: int | None = None, ignored: tuple[str, ...] = (), error: str | None = None
    ) -> SetReport:
        return SetReport(
            name=self.name,
            category=self.category,
            official=self.official,
            files=self.files if files is None else files,
            duration_s=math.fsum(self.seconds),
            sample_rates=dict(sorted(self.rates.items())),
            channels=dict(sorted(self.channels.items())),
            problems=tuple(self.problems),
            full=FULL_SIZES.get(self.name) if self.official else None,
            remarks=tuple(self.remarks),
            ignored=ignored,
            error=error,
        )


def _kind(error: Exception) -> Kind:
    return error.kind if isinstance(error, audio.AudioError) else "unreadable"
