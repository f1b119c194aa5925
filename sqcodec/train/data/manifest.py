"""The optional ``manifest.csv`` of training audio: groups of the split, sources and licences."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path

from sqcodec.errors import InputError

NAME = "manifest.csv"


@dataclass(frozen=True)
class Manifest:
    """Rows by ``path`` (relative to the manifest, ``/`` separators).

    Attributes:
        rows: cells by column; empty where there is no manifest.
        columns: of the header.
        sha256: of the file's bytes (of no bytes where there is none).
    """

    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    columns: frozenset[str] = frozenset()
    sha256: str = hashlib.sha256().hexdigest()

    def group(self, path: str) -> str:
        """What must not be on both sides of the split together with this file."""
        return self.rows.get(path, {}).get("group") or path


def read_manifest(root: Path, name: str = NAME) -> Manifest:
    """The manifest of a folder; an empty one where there is no such file.

    Raises:
        InputError: not UTF-8, no CSV, or no column ``path``.
    """
    path = root / name
    if not path.is_file():
        return Manifest()
    content = path.read_bytes()
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        columns = frozenset(reader.fieldnames or ())
        rows = [{key: (row[key] or "").strip() for key in columns} for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(str(path), expected="CSV with commas in UTF-8", found=str(error)) from None
    if "path" not in columns:
        found = ", ".join(sorted(columns)) or "an empty file"
        raise InputError(str(path), expected="a column 'path'", found=found)
    named = {row["path"].removeprefix("./"): row for row in rows}
    return Manifest(named, columns, hashlib.sha256(content).hexdigest())
