"""Which utterances count, and for which metrics: what the newest runs found in their source.

Results outlive the data they were made of: a file is deleted or edited, a domain corrected,
another folder of the same name is run. Every run therefore lists what it selected, with hashes,
and a row is made of those records only that belong to the selection in force.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqbench.metrics.base import is_for
from sqbench.store.record import Record
from sqbench.store.row import SIGNAL_METRICS

Clips = Mapping[str, Mapping[str, str]]
"""Utterance id to its ``sha256``, ``dataset``, ``category`` and ``domain``."""


@dataclass(frozen=True, kw_only=True)
class InForce:
    """The selection in force of one codec on one source under one protocol.

    Attributes:
        location: where the newest run found the source.
        elsewhere: other locations that runs found a source of this name at.
        clips: the utterances.
        total: how many utterances the source has.
        metrics: names that runs at ``location`` asked for.
    """

    location: str
    elsewhere: tuple[str, ...]
    clips: Clips = field(repr=False)
    total: int
    metrics: frozenset[str]


def in_force(runs: Sequence[Mapping[str, Any]]) -> InForce:
    """The selection of the newest run, completed where that run was a limited one.

    The newest run says where the source is. Of the runs there, the last that took the whole
    source is the base, and each later, limited one replaces what it selected again; with no base
    the limited ones add up. So ``--limit`` never shrinks a table, and a deleted file leaves it
    with the next whole run.

    Args:
        runs: at least one, of one source, protocol and codec, oldest first.
    """
    newest = runs[-1]["source"]
    here = [run["source"] for run in runs if run["source"]["location"] == newest["location"]]
    whole = [i for i, source in enumerate(here) if source["selected"] == source["total"]]
    clips: dict[str, Mapping[str, str]] = {}
    for source in here[whole[-1] if whole else 0 :]:
        clips.update(source["selection"])
    places = dict.fromkeys(run["source"]["location"] for run in runs)
    return InForce(
        location=newest["location"],
        elsewhere=tuple(place for place in places if place != newest["location"]),
        clips=clips,
        total=max(newest["total"], len(clips)),
        metrics=frozenset(
            metric
            for run in runs
            if run["source"]["location"] == newest["location"]
            for metric in run["metrics"]
        ),
    )


class Applies:
    """Whether a metric is for a category.

    The protocol's own are known and the registry knows what is installed. Of any other metric the
    records tell: it is for the categories that its clips had when it was measured, or, if the
    selection has none of these any more, for all.
    """

    def __init__(self, records: Iterable[Record], clips: Clips) -> None:
        self._there = {clip["category"] for clip in clips.values()}
        self._shown: dict[str, set[str]] = {}
        for record in records:
            self._shown.setdefault(record["metric"] or "", set()).add(record["category"])
        self._known: dict[str, Collection[str]] = {}

    def __call__(self, metric: str, category: str) -> bool:
        if metric not in self._known:
            self._known[metric] = self._categories(metric)
        return is_for(self._known[metric], category)

    def _categories(self, metric: str) -> Collection[str]:
        if metric in SIGNAL_METRICS["speech"]:
            return [category for category, names in SIGNAL_METRICS.items() if metric in names]
        from sqbench.metrics import catalogue

        if metric in catalogue.names():  # never what a record calls a file
            return catalogue.get(metric).categories
        shown = self._shown.get(metric, set())
        return shown if not shown or shown & self._there else self._there
