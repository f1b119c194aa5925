"""The optional ``manifest.csv`` of training audio: groups of the split, sources and licences."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sqcodec.errors import InputError

NAME = "manifest.csv"
NO_SOURCES = f"not stated (no {NAME} with columns dataset and license)"


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

    def sources(self, lengths: Iterable[tuple[str, float]]) -> list[str] | str:
        """Data sets with licence, number of clips and minutes, from ``(path, seconds)`` pairs."""
        if not {"dataset", "license"} <= self.columns:
            return NO_SOURCES
        clips: dict[str, list[float]] = defaultdict(list)
        for path, seconds in lengths:
            row = self.rows.get(path)
            if row is None:
                clips[f"not in {NAME}: licence not stated"].append(seconds)
                continue
            licence = row.get("license") or "licence not stated"
            clips[f"{row.get('dataset') or 'unnamed'}: {licence}"].append(seconds)
        return [
            f"{name} ({len(found)} clips, {sum(found) / 60:.1f} min)"
            for name, found in sorted(clips.items())
        ]


def read_manifest(root: Path) -> Manifest:
    """The manifest of a folder; an empty one where there is no such file.

    Raises:
        InputError: not UTF-8, no CSV, or no column ``path``.
    """
    path = root / NAME
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
