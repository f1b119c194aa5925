"""Results as things to keep house with: what is there, dropping some of it, merging folders."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sqbench.atomic import write_bytes, write_json
from sqbench.errors import InputError
from sqbench.store import reader
from sqbench.store.reader import Store
from sqbench.store.record import Observation, Record, coding_key, score_key
from sqbench.store.writer import AUDIO_FOLDER, RECORDS_FILE, RUN_FILE, line


@dataclass(frozen=True, kw_only=True)
class CodecVersion:
    """One identity of a codec on one source.

    Attributes:
        records: scores, codings and predictions that are there.
        failed: of these, without a result.
        first, last: when its first and last run began.
        newest: whether no later identity has its name and kind of weights.
    """

    codec: str
    codec_id: str
    weights: str
    source: str
    records: int
    failed: int
    first: str
    last: str
    newest: bool


def versions(store: Store) -> list[CodecVersion]:
    """Every codec of a store, by source, name and time."""
    counts: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    for record in (*store.records, *store.observations):
        key = (record["source"], record["codec_id"])
        counts[key] += 1
        failed[key] += record["status"] == "failed"
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for run in store.runs:
        for codec in run.get("codecs", []):
            key = (run["source"]["name"], codec["codec_id"])
            entry = found.setdefault(key, {"first": run["started"], "codec": codec})
            entry["last"] = run["started"]
    newest: dict[tuple[str, str, str], str] = {}
    for (source, _), entry in found.items():
        of = _of(source, entry["codec"])
        newest[of] = max(newest.get(of, ""), entry["last"])
    return sorted(
        (
            CodecVersion(
                codec=entry["codec"]["name"],
                codec_id=identity,
                weights=_label(entry["codec"]),
                source=source,
                records=counts[source, identity],
                failed=failed[source, identity],
                first=entry["first"],
                last=entry["last"],
                newest=newest[_of(source, entry["codec"])] == entry["last"],
            )
            for (source, identity), entry in found.items()
        ),
        key=lambda version: (version.source, version.codec, version.last),
    )


def _of(source: str, codec: Mapping[str, Any]) -> tuple[str, str, str]:
    return source, codec["name"], str(codec.get("weights", {}).get("source", ""))


def _label(codec: Mapping[str, Any]) -> str:
    weights = codec.get("weights", {})
    sha256 = weights.get("sha256")
    return f"{weights.get('source', '')} {(sha256 or '')[:8]}".strip()


def drop(folder: Path, codecs: Sequence[str], *, older: bool = False) -> dict[str, int]:
    """Delete the records and the saved audio of codecs from a results folder.

    A run that has nothing left is deleted whole. Each file is replaced atomically.

    Args:
        folder: with runs at any depth.
        codecs: names, ids or patterns; none with ``older`` for all.
        older: only versions that a newer one stands for.

    Returns:
        Records deleted, by codec and id.

    Raises:
        InputError: nothing fits, or the folder cannot be written to.
    """
    chosen = {
        version.codec_id: f"{version.codec} {version.codec_id}"
        for version in versions(reader.load(folder))
        if (not codecs or any(_fits(version, each) for each in codecs))
        and not (older and version.newest)
    }
    if not chosen or not (codecs or older):
        raise InputError(
            f"results {folder}",
            expected="results of " + (", ".join(codecs) or "older versions"),
            found="none",
        )
    deleted: Counter[str] = Counter()
    for path in list(reader.run_folders(folder, [])):
        run, lines = reader.read_run(path)
        left = [codec for codec in run["codecs"] if codec["codec_id"] not in chosen]
        if len(left) == len(run["codecs"]):
            continue
        kept = []
        for text, record in lines:
            if record is not None and record["codec_id"] in chosen:
                deleted[chosen[record["codec_id"]]] += 1
            else:
                kept.append(text)
        if not left:
            shutil.rmtree(path)
            continue
        write_bytes(path / RECORDS_FILE, b"".join(kept))
        write_json(path / RUN_FILE, {**run, "codecs": left})
        for codec in run["codecs"]:
            if codec["codec_id"] in chosen and codec["name"] not in {c["name"] for c in left}:
                shutil.rmtree(path / AUDIO_FOLDER / codec["name"], ignore_errors=True)
    return dict(deleted)


def _fits(version: CodecVersion, pattern: str) -> bool:
    label = f"{version.codec}@{version.codec_id[:8]}"
    return any(fnmatchcase(t, pattern) for t in (version.codec, version.codec_id, label))


def merge(folders: Sequence[Path], out: Path) -> dict[str, int]:
    """Copy the runs of several results folders into one, equal audio under one id.

    Machines that name the same clips differently (an absolute path in a manifest) are told by the
    content: the id of the first folder that has the clip is taken for all.

    Returns:
        ``runs`` and ``records`` copied, and ``renamed``: clips that got another id.

    Raises:
        InputError: a folder has no results, or ``out`` holds one of the runs or cannot be written.
    """
    ids: dict[tuple[str, str], str] = {}
    done = {"runs": 0, "records": 0, "renamed": 0}
    renamed: set[tuple[str, str]] = set()
    for folder in folders:
        paths = list(reader.run_folders(folder, []))
        if not paths:
            raise InputError(str(folder), expected="results", found="no run")
        for path in paths:
            run, lines = reader.read_run(path)
            target = out / run["run_id"]
            if target.exists():
                raise InputError(
                    str(target), expected="a folder without this run", found="it is there already"
                )
            names = _names(run, ids)
            renamed |= {(run["source"]["name"], old) for old, new in names.items() if old != new}
            shutil.copytree(path, target)
            write_json(target / RUN_FILE, _renamed_run(run, names))
            copied = [
                text if record is None else _renamed(text, record, names) for text, record in lines
            ]
            write_bytes(target / RECORDS_FILE, b"".join(copied))
            done["runs"] += 1
            done["records"] += len(lines)
    done["renamed"] = len(renamed)
    return done


def _names(run: Mapping[str, Any], ids: dict[tuple[str, str], str]) -> dict[str, str]:
    """Ids of a run's clips to those under which their content is known; new ones are added."""
    source = run["source"]
    clips: dict[str, str] = {name: c["sha256"] for name, c in source["selection"].items()}
    for task in run.get("tasks", {}).values():
        clips.update({name: c["sha256"] for name, c in task["clips"].items()})
    names = {}
    for name, sha256 in clips.items():
        names[name] = ids.setdefault((source["name"], sha256), name) if sha256 else name
    # Two clips of one run with equal content are two clips.
    taken = Counter(names.values())
    return {old: new if taken[new] == 1 else old for old, new in names.items()}


def _renamed_run(run: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    source = dict(run["source"])
    source["selection"] = {names.get(n, n): clip for n, clip in source["selection"].items()}
    tasks = {
        name: {
            **task,
            "clips": {names.get(n, n): clip for n, clip in task["clips"].items()},
            "trials": {
                which: [[target, names.get(a, a), names.get(b, b)] for target, a, b in trials]
                for which, trials in task["trials"].items()
            },
        }
        for name, task in run.get("tasks", {}).items()
    }
    return {**run, "source": source, **({"tasks": tasks} if tasks else {})}


def _renamed(text: bytes, record: Record | Observation, names: Mapping[str, str]) -> bytes:
    """A line with its clip's new id, its key too where it can be made again."""
    new = names.get(record["utterance"], record["utterance"])
    if new == record["utterance"]:
        return text
    found = record.copy()
    found["utterance"] = new
    if found["kind"] != "observation":
        was, now = _key(record), _key(found)
        if was == record["key"]:
            found["key"] = now
    return line(found).encode()


def _key(record: Record | Observation) -> str:
    assert record["kind"] != "observation"
    codec, source = record["codec_id"], record["source"]
    utterance, sha256 = record["utterance"], record["audio_sha256"]
    if record["metric"] is None:
        return coding_key(codec, source, utterance, sha256)
    identity = record["metric_identity"] or str(record["metric_version"])
    return score_key(
        codec, source, utterance, sha256, record["metric"], identity, record["protocol"] or ""
    )
