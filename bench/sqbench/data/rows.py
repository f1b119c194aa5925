"""The rows of a CSV, TSV or JSONL manifest, as text by column.

What is wrong with one row is that row's trouble: it is passed on with the reason, and the others
are read. Only what leaves no row at all is an error.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqbench.errors import InputError

SUFFIXES = (".csv", ".tsv", ".jsonl")

Cells = dict[str, str]


@dataclass(frozen=True)
class FileRow:
    """One row.

    Attributes:
        line: where it ends in the file, from 1.
        cells: its text by column; empty cells and nulls are left out.
        problem: why it cannot be used, if it cannot.
    """

    line: int
    cells: Cells = field(default_factory=dict)
    problem: InputError | None = None


def rows(path: Path) -> Iterator[FileRow]:
    """The rows of a manifest, by its suffix.

    Raises:
        InputError: it cannot be read, or its header cannot be used.
    """
    text = _text(path)
    jsonl = path.suffix.lower() == ".jsonl"
    for row in _jsonl(path, text) if jsonl else _csv(path, text):
        yield row if row.problem is not None else _checked(path, row)


def read_rows(path: Path) -> Iterator[tuple[int, Cells]]:
    """Rows with their line numbers.

    Raises:
        InputError: as `rows`, and at the first row that cannot be used.
    """
    for row in rows(path):
        if row.problem is not None:
            raise row.problem
        yield row.line, row.cells


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            str(path), expected="a manifest", found=error.strerror or str(error)
        ) from None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # as spreadsheets write
        return content.decode("utf-16", "replace")
    # A byte that is no UTF-8 becomes a half character, by which `_checked` finds its row.
    return content.decode("utf-8-sig", "surrogateescape")


def _checked(path: Path, row: FileRow) -> FileRow:
    for name, value in row.cells.items():
        odd = next((c for c in value if "\ud800" <= c <= "\udfff"), None)
        if odd is not None:
            return FileRow(
                row.line,
                problem=InputError(
                    f"{path}, line {row.line}",
                    expected="text in UTF-8",
                    found=f"byte 0x{ord(odd) & 0xFF:02x} in {name!r}",
                    remedy="Save the manifest as UTF-8.",
                ),
            )
    return row


def _csv(path: Path, text: str) -> Iterator[FileRow]:
    first = text.split("\n", 1)[0]
    delimiter = next((d for d in ("\t", ",", ";") if d in first), ",")
    if path.suffix.lower() == ".csv" and "," in first:
        delimiter = ","
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    header: list[str] = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if not header:
                header = _header(path, reader.line_num, cells)
                continue
            yield _row(path, reader.line_num, header, cells)
    except csv.Error as error:
        line = max(1, reader.line_num)
        problem = InputError(
            f"{path}, line {line}",
            expected="CSV with commas",
            found=f"{error}; no row behind it is read",
        )
        if not header:
            raise problem from None
        yield FileRow(line, problem=problem)


def _header(path: Path, line: int, cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells.pop()
    twice = next((cell for cell in cells if cell and cells.count(cell) > 1), None)
    if twice is not None:
        raise InputError(
            f"{path}, line {line}",
            expected="each column once",
            found=f"{twice!r} more than once",
            remedy="Rename or remove one of them.",
        )
    return cells


def _row(path: Path, line: int, header: list[str], cells: list[str]) -> FileRow:
    # Spreadsheets end rows with commas, and leave out those behind the last cell.
    while len(cells) > len(header) and not cells[-1]:
        cells.pop()
    named = [name for name in header if name]
    if len(cells) > len(header) or any(
        cell and not name for name, cell in zip(header, cells, strict=False)
    ):
        return FileRow(
            line,
            problem=InputError(
                f"{path}, line {line}",
                expected=f"{len(named)} cells ({', '.join(named)})",
                found=f"{len(cells)}",
                remedy="Quote cells that hold commas.",
            ),
        )
    return FileRow(line, {k: v for k, v in zip(header, cells, strict=False) if k and v})


def _jsonl(path: Path, text: str) -> Iterator[FileRow]:
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            item = json.loads(line.strip().rstrip(","))
        except (ValueError, RecursionError) as error:
            found = str(error) if isinstance(error, ValueError) else "brackets without end"
            problem = InputError(where, expected="one JSON object a line", found=found)
            yield FileRow(number, problem=problem)
            continue
        if not isinstance(item, dict):
            found = f"a JSON {type(item).__name__}"
            problem = InputError(where, expected="one JSON object a line", found=found)
            yield FileRow(number, problem=problem)
            continue
        yield _object(where, number, item)


def _object(where: str, number: int, item: dict[str, object]) -> FileRow:
    cells: Cells = {}
    for key, value in item.items():
        if isinstance(value, dict | list):
            found = json.dumps(value)[:60]
            problem = InputError(where, expected=f"text or a number in {key!r}", found=found)
            return FileRow(number, problem=problem)
        text = value.strip() if isinstance(value, str) else json.dumps(value)
        if value is not None and text:
            cells[key.strip()] = text
    return FileRow(number, cells)
