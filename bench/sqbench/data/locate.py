"""The files that a manifest's paths mean, also where it was written elsewhere.

Paths come with backslashes, from another root, relative to another folder, or in another Unicode
form than the file system's. Each is tried as it is written first.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

_PARENTS = 2
"""How many folders above the manifest's a relative path may start from."""


@dataclass(frozen=True)
class Place:
    """Where a path leads.

    Attributes:
        path: the file; where none is found, where it should be.
        found: whether it is there.
        moved: whether only the end of the written path was found, below the manifest's folder.
    """

    path: Path
    found: bool
    moved: bool = False


class Locator:
    """Finds files for the paths of a manifest.

    One rule holds for all its relative paths, and one for all its absolute ones, so that a missing
    file is never taken for one of its name elsewhere. Relative paths start from the manifest's
    folder if any is found there, else from the folder above or the current one where most are
    found. If no path of a kind is found, the ends of the paths are looked for below the folder.

    Args:
        folder: the manifest's.
        written: all its paths.
    """

    def __init__(self, folder: Path, written: Iterable[str]) -> None:
        self.folder = folder
        self._names: dict[str, dict[str, str]] = {}
        paths = {text for text in written if "\0" not in text}
        absolute = {text for text in paths if _plain(text).startswith("/")}
        relative = paths - absolute
        above = list(Path(os.path.abspath(folder)).parents)[:_PARENTS]
        self._start, found = folder, 0
        for start in (folder, *above, Path.cwd()):
            count = sum(self._existing(start, text) is not None for text in relative)
            if count > found:
                self._start, found = start, count
            if start == folder and found:
                break
        self._relative_moved = bool(relative) and not found
        self._absolute_moved = bool(absolute) and not any(
            self._existing(Path("/"), text) for text in absolute
        )

    def find(self, written: str) -> Place:
        """The file of a path; tells whether there is one, never fails."""
        missing = Place(self.folder / written, found=False)
        if "\0" in written:
            return missing
        absolute = _plain(written).startswith("/")
        path = self._existing(Path("/") if absolute else self._start, written)
        if path is not None:
            return Place(path, found=True)
        if self._absolute_moved if absolute else self._relative_moved:
            parts = _parts(_plain(written))
            for skipped in range(0 if absolute else 1, len(parts)):
                path = self._existing(self.folder, "/".join(parts[skipped:]))
                if path is not None:
                    return Place(path, found=True, moved=True)
        return missing

    def _existing(self, start: Path, written: str) -> Path | None:
        """The file below ``start``, with its path as written, in plain form or in another one."""
        for form in dict.fromkeys((written, _plain(written))):
            path = start / form
            if os.path.lexists(path):
                return path
            if (found := self._in_other_form(start, _parts(form))) is not None:
                return found
        return None

    def _in_other_form(self, start: Path, parts: list[str]) -> Path | None:
        """The path below ``start`` whose names are the same in one Unicode form."""
        if all(part.isascii() for part in parts):
            return None
        path = start
        for part in parts:
            if part != ".." and not os.path.lexists(path / part):
                known = self._listed(path).get(unicodedata.normalize("NFC", part))
                if known is None:
                    return None
                part = known
            path = path / part
        return path

    def _listed(self, folder: Path) -> dict[str, str]:
        key = os.fspath(folder)
        if key not in self._names:
            try:
                names = os.listdir(folder)
            except (OSError, ValueError):
                names = []
            self._names[key] = {unicodedata.normalize("NFC", name): name for name in names}
        return self._names[key]


def _plain(written: str) -> str:
    """A path as POSIX writes it: of a ``file:`` address, of Windows, of somebody's home."""
    if written.startswith("file://"):
        written = unquote(re.sub(r"^file://(localhost)?", "", written))
    if "\\" in written:
        written = re.sub(r"^[A-Za-z]:", "", written.replace("\\", "/"))
    if written.startswith("~/"):
        written = os.path.expanduser(written)
    return written


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def default_id(written: str) -> str:
    """The path as written, without root and ``..``, so that it is the same on any machine."""
    return "/".join(part for part in _parts(_plain(written)) if part != "..")


def ids_of(folder: Path, places: list[Path]) -> dict[Path, str]:
    """Ids of files: relative to the manifest's folder, or, of those outside, to their common one.

    An id is then the same wherever the manifest and its files are copied to, and tells nothing of
    the machine.
    """
    base = os.path.abspath(folder)
    full = {path: os.path.abspath(path) for path in places}
    inside = {path: _below(base, text) for path, text in full.items()}
    outside = [text for path, text in full.items() if inside[path] is None]
    common = os.path.commonpath([os.path.dirname(text) for text in outside]) if outside else ""
    return {
        path: below if (below := inside[path]) is not None else _below(common, text) or text
        for path, text in full.items()
    }


def _below(base: str, path: str) -> str | None:
    root = base.rstrip(os.sep) + os.sep
    return path[len(root) :].replace(os.sep, "/") if path.startswith(root) else None
