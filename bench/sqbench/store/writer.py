"""Writing results: one folder a run, written so that a crash costs no finished work.

Layout: ``OUT/<run_id>/run.json`` says how the run was made and is replaced whole (write to a
temporary file, fsync, rename); ``OUT/<run_id>/records.jsonl`` only ever grows.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqbench.atomic import unwritable, write_json
from sqbench.errors import InputError
from sqbench.store.record import SCHEMA, Observation, Record

RUN_FILE = "run.json"
RECORDS_FILE = "records.jsonl"
AUDIO_FOLDER = "audio"


def new_run_id() -> str:
    """A run id that sorts by time: ``20261121-140312-3f9a`` (UTC, then random hex)."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def timestamp() -> str:
    """Now, in UTC, to the microsecond: ``2026-11-21T14:03:12.000123+00:00``."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class RunWriter:
    """Writes one run: a context manager around its folder.

    On leaving, ``status`` becomes ``finished``, ``interrupted`` (Ctrl-C) or ``failed`` (with the
    error). A process that is killed leaves ``running`` behind.

    Args:
        out: the results folder; it is made if it is not there.
        run: the content of ``run.json``; ``schema``, ``run_id``, ``status`` and ``started`` are
            filled in.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """

    def __init__(self, out: Path, run: dict[str, Any]) -> None:
        self.run_id = str(run.get("run_id") or new_run_id())
        self.path = Path(out) / self.run_id
        self.run: dict[str, Any] = {
            **run,
            "schema": SCHEMA,
            "run_id": self.run_id,
            "status": "running",
            "started": run.get("started") or timestamp(),
            "finished": None,
        }
        self._size = 0

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True)
            self._records = open(self.path / RECORDS_FILE, "ab", buffering=0)
        except OSError as error:
            unwritable(self.path, error)
        self._write_run()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._records.close()
        self.run["finished"] = timestamp()
        if kind is None:
            self.run["status"] = "finished"
        elif issubclass(kind, KeyboardInterrupt):
            self.run["status"] = "interrupted"
        else:
            self.run.update(status="failed", error=f"{kind.__name__}: {error}")
        try:
            self._write_run()
        except InputError:
            if kind is None:
                raise  # an error on its way out says more than this one

    def append(self, records: Sequence[Record | Observation]) -> None:
        """Add records; they are on the disk when this returns.

        Raises:
            InputError: the disk is full or gone. What a failed write left is cut off again.
            ValueError: a record holds NaN or infinity (a value that is not there is ``None``).
        """
        if not records:
            return
        data = "".join(line(record) for record in records).encode()
        try:
            written = 0
            while written < len(data):
                written += self._records.write(data[written:]) or 0
            os.fsync(self._records.fileno())
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._records.fileno(), self._size)
            unwritable(self.path / RECORDS_FILE, error)
        self._size += len(data)

    def update(self, **fields: Any) -> None:
        """Set fields of ``run.json`` and replace the file."""
        self.run.update(fields)
        self._write_run()

    def _write_run(self) -> None:
        write_json(self.path / RUN_FILE, self.run)


def copy_run(out: Path, run: dict[str, Any], records: Sequence[Record | Observation]) -> None:
    """Write a loaded run again, its status and times as they are.

    Raises:
        InputError: the run is there already, or cannot be written.
    """
    writer = RunWriter(out, run)
    with writer:
        writer.append(records)
    write_json(writer.path / RUN_FILE, run)


def line(record: Record | Observation) -> str:
    """A record as a line of ``records.jsonl``.

    Raises:
        ValueError: it holds NaN or infinity.
    """
    try:
        return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
    except ValueError as error:
        what = record["task"] if record["kind"] == "observation" else record["metric"]
        raise ValueError(
            f"record of {record['codec']}, {record['utterance']}, {what}: {error}"
        ) from None
