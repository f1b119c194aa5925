"""Manifests of training audio: stretches of files, groups of the split, sources and licences."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqcodec.errors import InputError

NAME = "manifest.csv"
STARTS = ("start", "offset", "start_s", "start_time", "offset_s")
ENDS = ("end", "end_s", "end_time")
DURATIONS = ("duration", "duration_s")
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a manifest.

    Attributes:
        line: where it ends in the file, from 1.
        path: of the audio, with ``/``; where it is, is found out by `located`.
        cells: its text by column.
        start, duration: the stretch of the file in seconds; to its end where ``None``.
    """

    line: int
    path: str
    cells: Mapping[str, str]
    start: float = 0.0
    duration: float | None = None

    @property
    def stretch(self) -> str:
        """What tells it from other rows of its file; empty for the whole file."""
        if not self.start and self.duration is None:
            return ""
        end = "end" if self.duration is None else f"{self.start + self.duration:.3f}"
        return f"@{self.start:.3f}-{end}"


@dataclass(frozen=True)
class Manifest:
    """Rows in the order of the file.

    Attributes:
        rows: none where there is no manifest.
        columns: of the header.
        sha256: of the file's bytes (of no bytes where there is none).
    """

    rows: tuple[Row, ...] = ()
    columns: frozenset[str] = frozenset()
    sha256: str = hashlib.sha256().hexdigest()


def read_manifest(root: Path, name: str = NAME) -> Manifest:
    """The manifest of a folder, CSV or JSONL; an empty one where there is no such file.

    Raises:
        InputError: it cannot be read, is not UTF-8, has no column ``path``, or a row that cannot
            be used.
    """
    path = root / name
    if not path.is_file():
        return Manifest()
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        found = error.strerror or str(error)
        raise InputError(str(path), expected="a manifest", found=found) from None
    except UnicodeDecodeError as error:
        raise InputError(str(path), expected="a manifest in UTF-8", found=str(error)) from None
    read = _jsonl if path.suffix.lower() == ".jsonl" else _csv
    found_rows, columns = [], set[str]()
    for line, cells in read(path, text):
        columns |= cells.keys()
        if any(cells.values()):
            found_rows.append(_row(f"{path}, line {line}", line, cells))
    if "path" not in columns:
        found = ", ".join(sorted(columns)) or "an empty file"
        raise InputError(str(path), expected="a column 'path'", found=found)
    return Manifest(tuple(found_rows), frozenset(columns), hashlib.sha256(content).hexdigest())


def _csv(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    header: list[str] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            values = [cell.strip() for cell in cells]
            while len(values) > len(header) and header and not values[-1]:
                values.pop()  # commas behind the last column
            if not header:
                header = values
                yield reader.line_num, dict.fromkeys(filter(None, header), "")
            elif len(values) > len(header):
                where, wanted = f"{path}, line {reader.line_num}", f"{len(header)} cells"
                raise InputError(where, expected=wanted, found=f"{len(values)}")
            else:
                named = zip(header, values, strict=False)
                yield reader.line_num, {name: value for name, value in named if name}
    except csv.Error as error:
        raise InputError(str(path), expected="CSV with commas", found=str(error)) from None


def _jsonl(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path}, line {number}", expected="JSON", found=str(error)) from None
        if not isinstance(value, dict):
            raise InputError(f"{path}, line {number}", expected="an object", found=line[:40])
        yield (
            number,
            {str(key): "" if cell is None else str(cell).strip() for key, cell in value.items()},
        )


def _row(where: str, line: int, cells: dict[str, str]) -> Row:
    text = cells.get("path", "")
    if "path" in cells and not text:
        raise InputError(where, expected="a path", found="none")
    start, end, duration = (_one(cells, names, where) for names in (STARTS, ENDS, DURATIONS))
    begin = start or 0.0
    if end is not None:
        # Beside both, a duration may be the whole recording's.
        duration = round(end - begin, 9)
    if duration is not None and duration <= 0:
        expected = "an end behind the start and a duration above 0"
        raise InputError(where, expected=expected, found=f"{duration:g} s")
    # As Windows and string concatenation write it.
    path = text.replace("\\", "/")
    while "//" in path:
        path = path.replace("//", "/")
    return Row(line=line, path=path.removeprefix("./"), cells=cells, start=begin, duration=duration)


def _one(cells: Mapping[str, str], names: Sequence[str], where: str) -> float | None:
    for name in names:
        if not cells.get(name):
            continue
        try:
            value = float(cells[name])
        except ValueError:
            value = math.nan
        if not 0 <= value < math.inf:
            raise InputError(where, expected=f"seconds in column {name!r}", found=cells[name])
        return value
    return None


def located(manifest: Manifest, find: Callable[[str], str | None]) -> tuple[list[Row], list[Row]]:
    """Rows whose file ``find`` knows, under the name that it gives, and the others.

    A manifest that was written elsewhere has more in front of its paths: so many leading folders
    are left out, of all rows alike, that most are found.

    Args:
        manifest: the rows.
        find: from a path to the name of what is there; ``None`` where there is nothing.
    """
    best: tuple[list[Row], list[Row]] = [], list(manifest.rows)
    deepest = max((row.path.count("/") for row in manifest.rows), default=0)
    for dropped in range(deepest + 1):
        found, missing = [], []
        for row in manifest.rows:
            name = _without(row.path, dropped)
            there = None if name is None else find(name)
            if there is None:
                missing.append(row)
            else:
                found.append(replace(row, path=there))
        if len(found) > len(best[0]):
            best = found, missing
        if not missing:
            break
    return best


def _without(path: str, count: int) -> str | None:
    """The path without ``count`` leading folders, the root being one."""
    parts = path.split("/")
    return "/".join(parts[count:]) if count < len(parts) else None


def listed(rows: Sequence[Row]) -> str:
    """The first few rows, for a message."""
    shown = ", ".join(f"line {row.line} ({row.path})" for row in rows[:_SHOWN])
    return shown + (f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else "")
