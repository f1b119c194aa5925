"""Manifests: a CSV or JSONL table of audio files with their sets, domains and labels."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sqbench.data import stretch
from sqbench.data.base import Source, Utterance, category_of, checked_id, known_domain
from sqbench.data.files import printable, without_extension
from sqbench.data.locate import Locator, Place, default_id, ids_of
from sqbench.data.rows import SUFFIXES, Cells, FileRow, rows
from sqbench.data.stretch import Stretch
from sqbench.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)

NOT_LABELS = stretch.COLUMNS | {"path", "id", "dataset", "domain", "sha256", "sample_rate"}
"""Columns with a meaning of their own, or that the audio itself tells better."""


def labels_of(cells: Mapping[str, str]) -> Cells:
    """The columns of a manifest row that describe the clip's content."""
    return {key: value for key, value in cells.items() if key not in NOT_LABELS}


@dataclass
class _Entry:
    """A row on its way to an utterance."""

    line: int
    cells: Cells
    problem: str | None = None
    domain: str | None = None
    place: Place | None = None
    stretch: Stretch = field(default_factory=Stretch)

    @property
    def path(self) -> Path | None:
        return None if self.place is None else self.place.path


class ManifestSource(Source):
    """The clips that a CSV or JSONL manifest lists.

    Columns: ``path`` (required; absolute, or relative to the manifest; `sqbench.data.locate` finds
    it where the manifest was written elsewhere), ``domain`` (speech, music or general; required
    unless given as argument), ``dataset`` (default: the manifest's name), ``id`` (default: the path
    relative to the manifest, or, of files outside its folder, to their common folder), ``start``,
    ``end`` and ``duration`` of the clip in its file (`sqbench.data.stretch`). Every other column
    becomes a label.

    A row that cannot be used, or whose file is missing, stays an utterance, which fails on its own
    when it is read; it is an error only if no row can be used.

    Args:
        path: the manifest.
        domain: domain of the rows that state none.
    """

    def __init__(self, path: Path, *, domain: str | None = None) -> None:
        if not path.is_file():
            raise InputError(str(path), expected="a CSV or JSONL manifest", found="no such file")
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(
                str(path),
                expected=f"a manifest ending in {' or '.join(SUFFIXES)}",
                found=repr(path.suffix),
            )
        self.path = path
        self.domain = None if domain is None else known_domain(domain, "domain")
        self.name = printable(path.stem)
        self.location = str(path)

    def utterances(self) -> Iterator[Utterance]:
        """The rows, in their order.

        Raises:
            InputError: no row at all, or none that can be used: naming file and line of the first.
        """
        found = list(rows(self.path))
        paths = [row.cells["path"] for row in found if "path" in row.cells]
        locator = Locator(self.path.parent, paths)
        entries = [self._entry(row, locator) for row in found]
        if not entries:
            raise InputError(
                str(self.path), expected="a header with 'path' and at least one row", found="no row"
            )
        self._refuse_doubtful_places(entries)
        usable = [entry for entry in entries if entry.problem is None]
        if not usable:
            raise _as_error(next(e.problem for e in entries if e.problem is not None))
        ids = self._ids(entries)
        return iter(self._utterances(entries, ids))

    def _entry(self, row: FileRow, locator: Locator) -> _Entry:
        entry = _Entry(row.line, row.cells)
        where = self._where(row.line)
        try:
            if row.problem is not None:
                raise row.problem
            if "path" not in row.cells:
                found = ", ".join(row.cells) or "an empty row"
                raise InputError(where, expected="a value in column 'path'", found=found)
            entry.place = locator.find(row.cells["path"])
            entry.domain = self._domain(row.cells, where)
            entry.stretch = stretch.stretch_of(row.cells, where)
            if "id" in row.cells:
                checked_id(row.cells["id"], where)
        except InputError as error:
            entry.problem = str(error)
        return entry

    def _domain(self, cells: Cells, where: str) -> str:
        domain = known_domain(cells["domain"], where) if "domain" in cells else self.domain
        if domain is None:
            raise InputError(
                where,
                expected="a value in column 'domain' (speech, music or general)",
                found="none",
                remedy="Fill the column in, or give --domain for all rows without one.",
            )
        return domain

    def _where(self, line: int) -> str:
        return f"{self.path}, line {line}"

    def _refuse_doubtful_places(self, entries: list[_Entry]) -> None:
        """Only the end of a path was found, and that of another row's ends in the same file."""
        written: dict[Path, set[str]] = {}
        for entry in entries:
            if entry.place is not None and entry.place.found:
                written.setdefault(entry.place.path, set()).add(entry.cells["path"])
        for entry in entries:
            place = entry.place
            if place is not None and place.moved and len(written[place.path]) > 1:
                entry.problem = entry.problem or str(
                    InputError(
                        self._where(entry.line),
                        expected="a file of its own",
                        found=f"no {entry.cells['path']}, and {place.path} fits other rows too",
                        remedy="Correct the path.",
                    )
                )
        moved = [entry for entry in entries if entry.place is not None and entry.place.moved]
        if moved:
            first = moved[0]
            logger.warning(
                "%s: %d paths were written elsewhere; %s is taken to be %s",
                self.path,
                len(moved),
                printable(first.cells["path"]),
                first.path,
            )

    def _ids(self, entries: list[_Entry]) -> list[str]:
        """An id for each row; a row whose id another one has gets the line appended, and fails."""
        there = [e.place.path for e in entries if e.place is not None and e.place.found]
        by_path = ids_of(self.path.parent, list(dict.fromkeys(there)))
        parts = Counter(entry.path for entry in entries)
        lines: dict[str, int] = {}
        ids = []
        for entry in entries:
            clip = self._id(entry, by_path, alone=parts[entry.path] == 1)
            if clip in lines:
                if entry.problem is None:
                    entry.problem = str(
                        InputError(
                            self._where(entry.line),
                            expected="an id of its own",
                            found=f"{clip!r}, already in line {lines[clip]}",
                            remedy="Remove the row, or tell the two apart in a column 'id'.",
                        )
                    )
                clip = f"{clip}~{entry.line}"
            lines.setdefault(clip, entry.line)
            ids.append(clip)
        return ids

    def _id(self, entry: _Entry, by_path: Mapping[Path, str], *, alone: bool) -> str:
        fallback = f"line {entry.line}"
        written = entry.cells.get("id")
        if written is None and "path" in entry.cells:
            written = by_path.get(entry.path or Path(), "") or default_id(entry.cells["path"])
            if entry.stretch.start or (entry.stretch.duration is not None and not alone):
                stem = without_extension(written)
                written = f"{stem}_{entry.stretch.label}{written[len(stem) :]}"
        try:
            return checked_id(written or fallback, self._where(entry.line))
        except InputError as error:
            entry.problem = entry.problem or str(error)
            return fallback

    def _utterances(self, entries: list[_Entry], ids: list[str]) -> list[Utterance]:
        """Of one category a set: the first row's; another one's row fails."""
        first: dict[str, Utterance] = {}
        found: list[Utterance] = []
        # Usable rows first: they say what a set is, and an unusable row is filed with them.
        order = sorted(range(len(entries)), key=lambda i: entries[i].problem is not None)
        for index in order:
            entry = entries[index]
            dataset = entry.cells.get("dataset", self.path.stem)
            other = first.get(dataset)
            domain = entry.domain or (other or found[0]).domain
            clip = Utterance(
                id=ids[index],
                dataset=printable(dataset),
                category=category_of(domain),
                domain=domain,
                path=entry.path,
                start=entry.stretch.start,
                duration=entry.stretch.duration,
                labels=labels_of(entry.cells),
                problem=entry.problem,
            )
            if other is not None and other.category != clip.category:
                problem = InputError(
                    self._where(entry.line),
                    expected=f"one category in set {dataset!r}",
                    found=f"{other.id} ({other.domain}) and {clip.id} ({clip.domain})",
                    remedy="Correct the domains, or give the two kinds different set names.",
                )
                clip = replace(
                    clip,
                    category=other.category,
                    domain=other.domain,
                    problem=clip.problem or str(problem),
                )
            first.setdefault(dataset, clip)
            found.append(clip)
        at = dict(zip(order, found, strict=True))
        return [at[index] for index in range(len(entries))]


def _as_error(text: str | None) -> InputError:
    return InputError(text or "")
