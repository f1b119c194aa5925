"""Manifests: a CSV or JSONL table of audio files with their sets, domains and labels."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from sqbench.errors import InputError

from .base import (
    Source,
    Utterance,
    category_of,
    checked_id,
    known_domain,
    refuse_equal_stems,
    refuse_mixed_categories,
)

SUFFIXES = (".csv", ".jsonl")
NOT_LABELS = frozenset(
    {"path", "id", "dataset", "domain", "sha256", "duration", "duration_s", "sample_rate"}
)
"""Columns with a meaning of their own, or that the audio itself tells better."""

Row = dict[str, str]


def read_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Rows of a CSV or JSONL file with their line numbers; empty cells and nulls are left out.

    Raises:
        InputError: not UTF-8, no header, a row of another width, a line that is no JSON object.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}, line {line}",
            expected="text in UTF-8",
            found=f"byte 0x{error.object[error.start]:02x}",
            remedy="Save the manifest as UTF-8.",
        ) from None
    except OSError as error:
        raise InputError(
            str(path), expected="a manifest", found=error.strerror or str(error)
        ) from None
    yield from _jsonl(path, text) if path.suffix.lower() == ".jsonl" else _csv(path, text)


def _csv(path: Path, text: str) -> Iterator[tuple[int, Row]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    try:
        for cells in reader:
            if not cells:
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                twice = sorted({name for name in header if header.count(name) > 1})
                if twice:
                    raise InputError(
                        f"{path}, line {reader.line_num}",
                        expected="each column once",
                        found=f"{', '.join(map(repr, twice))} more than once",
                    )
                continue
            if len(cells) != len(header):
                raise InputError(
                    f"{path}, line {reader.line_num}",
                    expected=f"{len(header)} cells ({', '.join(header)})",
                    found=f"{len(cells)}",
                    remedy="Quote cells that hold commas.",
                )
            row = {k: v.strip() for k, v in zip(header, cells, strict=True) if v.strip()}
            yield reader.line_num, row
    except csv.Error as error:
        raise InputError(
            f"{path}, line {reader.line_num}", expected="CSV with commas", found=str(error)
        ) from None


def _jsonl(path: Path, text: str) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            item = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(where, expected="one JSON object a line", found=str(error)) from None
        if not isinstance(item, dict):
            found = f"a JSON {type(item).__name__}"
            raise InputError(where, expected="one JSON object a line", found=found)
        row: Row = {}
        for key, value in item.items():
            if isinstance(value, dict | list):
                raise InputError(
                    where, expected=f"text or a number in {key!r}", found=json.dumps(value)[:60]
                )
            text_value = value.strip() if isinstance(value, str) else json.dumps(value)
            if value is not None and text_value:
                row[key] = text_value
        yield number, row


def labels_of(row: Row) -> Row:
    """The columns of a manifest row that describe the clip's content."""
    return {key: value for key, value in row.items() if key not in NOT_LABELS}


def _default_id(written: str) -> str:
    """The path as written, without root and ``..``, so that it is the same on any machine."""
    parts = [part for part in PurePosixPath(written).parts if part not in ("/", "..", ".")]
    return "/".join(parts)


class ManifestSource(Source):
    """The clips that a CSV or JSONL manifest lists.

    Columns: ``path`` (required; absolute, or relative to the manifest), ``domain`` (speech, music
    or general; required unless given as argument), ``dataset`` (default: the manifest's name),
    ``id`` (default: the path); every other column becomes a label. A file that is missing stays
    an utterance and fails on its own when read.

    Args:
        path: the manifest.
        domain: domain of the rows that state none.
    """

    def __init__(self, path: Path, *, domain: str | None = None) -> None:
        if not path.is_file():
            raise InputError(str(path), expected="a CSV or JSONL manifest", found="no such file")
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(
                str(path), expected="a manifest ending in .csv or .jsonl", found=repr(path.suffix)
            )
        self.path = path
        self.domain = None if domain is None else known_domain(domain, "domain")
        self.name = path.stem
        self.location = str(path)

    def utterances(self) -> Iterator[Utterance]:
        """The rows, in their order.

        Raises:
            InputError: naming file and line: no path, no or unknown domain, an id twice.
        """
        lines: dict[str, int] = {}
        found: list[Utterance] = []
        for line, row in read_rows(self.path):
            where = f"{self.path}, line {line}"
            utterance = self._utterance(row, where)
            if utterance.id in lines:
                raise InputError(
                    where,
                    expected="an id of its own",
                    found=f"{utterance.id!r}, already in line {lines[utterance.id]}",
                    remedy="Remove the row, or tell the two apart in a column 'id'.",
                )
            lines[utterance.id] = line
            found.append(utterance)
        if not found:
            raise InputError(
                str(self.path), expected="a header with 'path' and at least one row", found="no row"
            )
        refuse_equal_stems(lines, str(self.path))
        return iter(list(refuse_mixed_categories(found, str(self.path))))

    def _utterance(self, row: Row, where: str) -> Utterance:
        if "path" not in row:
            found = ", ".join(row) or "an empty row"
            raise InputError(where, expected="a value in column 'path'", found=found)
        domain = known_domain(row["domain"], where) if "domain" in row else self.domain
        if domain is None:
            raise InputError(
                where,
                expected="a value in column 'domain' (speech, music or general)",
                found="none",
                remedy="Fill the column in, or give --domain for all rows without one.",
            )
        written = row["path"]
        return Utterance(
            id=checked_id(row.get("id") or _default_id(written), where),
            dataset=row.get("dataset", self.path.stem),
            category=category_of(domain),
            domain=domain,
            path=self.path.parent / written,
            labels=labels_of(row),
        )
