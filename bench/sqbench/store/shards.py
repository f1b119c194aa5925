"""Shards of one run joined into the run that they are parts of.

Records come in the order in which one machine would have written them: codec by codec in the order
of the clips, then what evaluators heard, task by task.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqbench.digest import digest
from sqbench.store.reader import Line
from sqbench.store.record import ORIGINAL, Observation, Record
from sqbench.store.writer import new_run_id


@dataclass(frozen=True)
class Given:
    """A run as it was read, with its lines."""

    run: dict[str, Any]
    lines: Sequence[Line]


@dataclass(frozen=True)
class Joined:
    """Shards as one run; ``parts`` are the ids of the runs that it stands for."""

    run: dict[str, Any]
    lines: list[bytes]
    parts: tuple[str, ...]


def join(runs: Iterable[Given]) -> tuple[list[Joined], list[str]]:
    """Join every complete set of shards.

    Of a shard that took several runs all count, of records with one key the newest with a result.

    Args:
        runs: any; those that are no shards are left out.

    Returns:
        What was joined, and of incomplete sets which shards are missing.
    """
    sets: dict[str, list[Given]] = {}
    for given in runs:
        if isinstance(given.run.get("shard"), dict):
            sets.setdefault(_of(given.run), []).append(given)
    joined, missing = [], []
    for of_set in sets.values():
        count = of_set[0].run["shard"]["of"]
        there = {given.run["shard"]["index"] for given in of_set}
        absent = [f"{index}/{count}" for index in range(1, count + 1) if index not in there]
        if absent:
            missing.append(f"{of_set[0].run['source']['name']}: {', '.join(absent)}")
        else:
            joined.append(_joined(sorted(of_set, key=lambda given: given.run["started"])))
    return joined, missing


def _of(run: Mapping[str, Any]) -> str:
    """What the shards of one run have in common."""
    asked = {k: v for k, v in run.get("options", {}).items() if k not in ("shard", "data")}
    return digest(run["source"]["name"], run["shard"]["list"], run["shard"]["of"], asked)


def _joined(runs: Sequence[Given]) -> Joined:
    newest = runs[-1].run
    source = dict(newest["source"])
    clips: dict[int, tuple[str, Any]] = {}
    for given in runs:
        selection = given.run["source"]["selection"]
        clips.update(zip(given.run["shard"]["positions"], selection.items(), strict=True))
    source["selection"] = dict(clips[position] for position in sorted(clips))
    source["selected"] = len(source["selection"])
    source["expected"] = _expected(source["selection"])
    source["sha256"] = digest([[name, c["sha256"]] for name, c in source["selection"].items()])
    codecs = {codec["codec_id"]: codec for given in reversed(runs) for codec in given.run["codecs"]}
    run = {
        **newest,
        "run_id": new_run_id(),
        "source": source,
        "codecs": list(codecs.values()),
        "started": min(given.run["started"] for given in runs),
        "finished": max(given.run["finished"] or "" for given in runs) or None,
        "options": {k: v for k, v in newest.get("options", {}).items() if k != "shard"},
        "joined": [
            {key: given.run.get(key) for key in ("run_id", "command", "status", "environment")}
            | {"shard": f"{given.run['shard']['index']}/{given.run['shard']['of']}"}
            for given in runs
        ],
    }
    del run["shard"]
    order = _Order(run)
    lines = sorted(_newest(runs), key=lambda found: order(found[1]))
    parts = tuple(given.run["run_id"] for given in runs)
    return Joined(run, [text for text, _ in lines], parts)


def _expected(selection: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Any]]:
    """Clips by set, as a run says it."""
    expected: dict[str, dict[str, Any]] = {}
    for clip in selection.values():
        entry = expected.setdefault(
            clip["dataset"],
            {"category": clip["category"], "domain": clip["domain"], "utterances": 0},
        )
        entry["utterances"] += 1
    return expected


def _newest(runs: Sequence[Given]) -> list[tuple[bytes, Record | Observation]]:
    """A line for each record; what was scored once is not lost to a run that could not."""
    found: dict[tuple[str, str], tuple[bytes, Record | Observation]] = {}
    for given in runs:
        for text, record in given.lines:
            if record is None:
                continue
            # Originals of equal content share a key; each clip has its line.
            key = (record["key"], record["utterance"])
            there = found.get(key)
            if there is not None and record["status"] == "failed" != there[1]["status"]:
                continue
            found[key] = (text, record)
    return list(found.values())


class _Order:
    """Where a record belongs in the joined run; lines of one clip stay as they are."""

    def __init__(self, run: Mapping[str, Any]) -> None:
        self._codecs = {codec["codec_id"]: at for at, codec in enumerate(run["codecs"])}
        self._codecs[ORIGINAL] = -1
        tasks: Mapping[str, Any] = run.get("tasks", {})
        self._tasks = {name: at for at, name in enumerate(tasks)}
        # What no metric measures is coded last, in the order in which tasks name it.
        names = [*run["source"]["selection"], *(c for t in tasks.values() for c in t["clips"])]
        self._clips = {name: at for at, name in enumerate(dict.fromkeys(names))}
        self._heard = {
            task: {name: at for at, name in enumerate(about["clips"])}
            for task, about in tasks.items()
        }

    def __call__(self, record: Record | Observation) -> tuple[int, int, int, int]:
        codec = self._codecs.get(record["codec_id"], len(self._codecs))
        clip = record["utterance"]
        if record["kind"] == "observation":
            task = record["task"]
            heard = self._heard.get(task, {})
            return 1, self._tasks.get(task, len(self._tasks)), codec, heard.get(clip, len(heard))
        return 0, codec, self._clips.get(clip, len(self._clips)), 0
