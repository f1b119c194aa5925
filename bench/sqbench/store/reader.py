"""Where records live: one folder a run, written so that a crash costs no finished work.

Layout: ``OUT/<run_id>/run.json`` says how the run was made and is replaced whole (write to a
temporary file, fsync, rename); ``OUT/<run_id>/records.jsonl`` only ever grows. Loading merges any
number of runs by record key, so resuming, adding a metric and joining the results of two machines
need no tool of their own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqbench.errors import InputError
from sqbench.metrics.base import Status
from sqbench.store import parse
from sqbench.store.record import SCHEMA, Observation, Record
from sqbench.store.writer import AUDIO_FOLDER, RECORDS_FILE, RUN_FILE

DONE: frozenset[Status] = frozenset({"ok", "identical", "undefined"})
"""Statuses that computing again would not change; ``failed`` is retried."""


@dataclass
class Store:
    """Loaded results.

    Attributes:
        records: one per key, oldest run first; of records with one key the newest run's is kept,
            and any that has a result before one that failed.
        observations: what evaluators heard, in the same way.
        runs: the content of each ``run.json``, oldest first; of one that cannot be used, only
            ``schema``, ``run_id`` and ``status``.
        problems: what could not be read, with file and line.
        origins: record key to ``run_id``.
    """

    records: list[Record] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> set[str]:
        """Keys of all records."""
        return set(self.origins)

    @property
    def done_keys(self) -> set[str]:
        """Keys of the work that need not be done again: all but the failed."""
        everything = (*self.records, *self.observations)
        return {record["key"] for record in everything if record["status"] in DONE}

    def at(self, source: str | None) -> tuple[Store, str | None]:
        """The results of one place, where ``source`` is one, and the name of the source there.

        Two folders of one name are one source to a table, which shows the newest; the place tells
        them apart. A name, or what is neither, leaves everything as it is.

        Args:
            source: a source's name, or where it is, as notes under a table have it.
        """
        found = [run["source"] for run in self.runs if "source" in run]
        if source is None or source in {each["name"] for each in found}:
            return self, source
        places = {source, str(Path(source).resolve())}
        here = [run for run in self.runs if run.get("source", {}).get("location") in places]
        if not here:
            return self, source
        return replace(self, runs=here), here[-1]["source"]["name"]


def load(out: Path | str | Sequence[Path | str]) -> Store:
    """Load and merge results.

    Args:
        out: a results folder, with runs at any depth, one run's folder, or several of either. A
            folder that does not exist holds no results.

    Returns:
        The store; lines that cannot be read are left out and listed in its ``problems``.

    Raises:
        InputError: a path is a file.
    """
    paths = [out] if isinstance(out, (str, Path)) else list(out)
    store = Store()
    folders: dict[Path, Path] = {}
    for path in map(Path, paths):
        for folder in run_folders(path, store.problems):
            folders.setdefault(folder.resolve(), folder)
    runs = [(_read_run(folder, store.problems), folder) for folder in folders.values()]
    runs.sort(key=lambda item: (item[0].get("started", ""), item[0]["run_id"]))
    by_id: dict[str, dict[str, Any]] = {}
    merged: dict[str, Record | Observation] = {}
    for run, folder in runs:
        by_id.pop(run["run_id"], None)  # a run and its copy are one run
        by_id[run["run_id"]] = run
        for record in _read_records(folder / RECORDS_FILE, store.problems):
            there = merged.get(record["key"])
            if there is not None and record["status"] == "failed" != there["status"]:
                continue  # what was scored once is not lost to a machine that could not
            merged.pop(record["key"], None)  # so that the order is the order of the newest
            merged[record["key"]] = record
            store.origins[record["key"]] = run["run_id"]
    store.runs = list(by_id.values())
    for record in merged.values():
        if record["kind"] == "observation":
            store.observations.append(record)
        else:
            store.records.append(record)
    return store


def run_folders(path: Path, problems: list[str]) -> Iterator[Path]:
    """The runs at ``path`` and below it, sorted.

    Clips that a run saved are not searched, nor are hidden folders.

    Args:
        problems: what cannot be read is added.

    Raises:
        InputError: the path is a file.
    """
    if path.is_file():
        raise InputError(
            str(path), expected="a results folder", found="a file", remedy="Name its folder."
        )

    def unreadable(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            problems.append(f"{error.filename}: cannot be read ({error.strerror})")

    entered: set[Path] = set()
    for name, below, files in os.walk(path, followlinks=True, onerror=unreadable):
        folder = Path(name)
        if (real := folder.resolve()) in entered:  # a link upwards
            below.clear()
            continue
        entered.add(real)
        is_run = RECORDS_FILE in files or RUN_FILE in files
        if is_run:
            yield folder
        below[:] = sorted(
            child
            for child in below
            if not child.startswith(".") and not (is_run and child == AUDIO_FOLDER)
        )


Line = tuple[bytes, Record | Observation | None]
"""A line of ``records.jsonl`` as it lies there, and its record, if it is one."""


def read_run(folder: Path) -> tuple[dict[str, Any], list[Line]]:
    """A run as it lies there: ``run.json``, and each line with its record, if it is one.

    Raises:
        InputError: ``run.json`` cannot be used, or a file cannot be read.
    """
    problems: list[str] = []
    run = _read_run(folder, problems)
    if problems:
        raise InputError(problems[0])
    lines: list[Line] = []
    try:
        text = (folder / RECORDS_FILE).read_bytes()
    except FileNotFoundError:
        text = b""  # a run that ended before its first record
    except OSError as error:
        raise InputError(f"{folder / RECORDS_FILE}: cannot be read ({error.strerror})") from error
    for each in text.splitlines(keepends=True):
        try:
            lines.append((each, parse.record(each)))
        except ValueError:
            lines.append((each, None))
    return run, lines


def _read_run(folder: Path, problems: list[str]) -> dict[str, Any]:
    """``run.json``, or what the folder's name tells if it cannot be used."""
    path = folder / RUN_FILE
    try:
        run = parse.run(path.read_bytes())
    except FileNotFoundError:
        problems.append(f"{path}: missing, so what this run selected is not known")
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror})")
    except ValueError as error:
        problems.append(f"{path}: cannot be used ({error})")
    else:
        run.setdefault("run_id", folder.resolve().name)
        return run
    return {"schema": SCHEMA, "run_id": folder.resolve().name, "status": "unknown"}


def _read_records(path: Path, problems: list[str]) -> Iterator[Record | Observation]:
    if not path.exists():
        return  # a run that ended before its first record
    try:
        with open(path, "rb") as handle:
            for number, line in enumerate(handle, start=1):
                if not line.strip():
                    continue
                try:
                    yield parse.record(line)
                except ValueError as error:
                    what = str(error) if line.endswith(b"\n") else "incomplete last line"
                    problems.append(f"{path}:{number}: skipped: {what}")
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror})")
