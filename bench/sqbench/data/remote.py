"""Clips on an object store: ``s3://``, ``gs://``, ``hf://``, ``memory://`` and what fsspec knows.

A folder, the official layout, or a manifest, with the ids, sets and domains that the same has on a
disk: record keys are the same, so results of either are results of both.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from sqbench.audio import EXTENSIONS
from sqbench.data.base import (
    ALL,
    DOMAINS,
    Source,
    Utterance,
    category_of,
    checked_id,
    known_domain,
    refuse_equal_stems,
    refuse_mixed_categories,
)
from sqbench.data.files import without_extension
from sqbench.data.manifest import labels_of
from sqbench.data.objects import StoredFile, file_system, version_of
from sqbench.data.rows import SUFFIXES, FileRow, rows
from sqbench.data.slt import OFFICIAL_SETS, SAMPLE_SUFFIXES
from sqbench.data.stretch import stretch_of
from sqbench.errors import InputError

SAMPLES = "samples/"


def is_url(text: str) -> bool:
    """Whether ``--data`` names an object store."""
    scheme, found, _ = text.partition("://")
    return bool(found) and scheme.isalnum()


class RemoteSource(Source):
    """Clips below a URL, or of the manifest at one.

    Args:
        url: as fsspec takes it.
        domain: of clips that nothing describes.

    Raises:
        InputError: there is nothing, or it cannot be reached.
    """

    def __init__(self, url: str, *, domain: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.domain = None if domain is None else known_domain(domain, "domain")
        self.system, self.path = file_system(self.url)
        self.path = self.path.rstrip("/")
        last = PurePosixPath(self.path)
        self.is_manifest = last.suffix.lower() in SUFFIXES
        self.name = last.stem if self.is_manifest else last.name
        self.location = self.url

    def utterances(self) -> Iterator[Utterance]:
        """The clips, by name, or in the manifest's order."""
        found = list(self._of_manifest() if self.is_manifest else self._of_folder())
        if not found:
            raise InputError(
                f"data {self.url}", expected=f"audio files ({', '.join(EXTENSIONS)})", found="none"
            )
        return refuse_mixed_categories(found, self.url)

    def unread(self) -> tuple[str, ...]:
        if self.is_manifest:
            return ()
        return tuple(name for name in sorted(self._files) if not _is_audio(name))

    def describe(self) -> dict[str, str]:
        """Name, location, and a hash over the files' names and versions."""
        listed = repr(sorted((name, version_of(about)) for name, about in self._files.items()))
        return super().describe() | {"listing": hashlib.sha256(listed.encode()).hexdigest()}

    @cached_property
    def _files(self) -> dict[str, dict[str, Any]]:
        """What the store says of each file, by path below the root; hidden ones are left out."""
        root = self.path.rpartition("/")[0] if self.is_manifest else self.path
        try:
            found = self.system.find(root, detail=True)
        except Exception as error:  # of a client library: anything
            raise InputError(
                f"data {self.url}",
                expected="a place that can be listed",
                found=f"{type(error).__name__}: {error}",
                remedy="Check the address, and the credentials that its client reads.",
            ) from error
        below = {
            path[len(root) :].lstrip("/"): about for path, about in found.items() if path != root
        }
        return {
            name: about
            for name, about in below.items()
            if not any(part.startswith(".") for part in name.split("/"))
        }

    def _stored(self, name: str) -> StoredFile:
        root = self.url.rpartition("/")[0] if self.is_manifest else self.url
        return StoredFile(f"{root}/{name}", version_of(self._files[name]))

    def _of_folder(self) -> Iterator[Utterance]:
        official = any(name.startswith(SAMPLES) for name in self._files)
        if official:
            refuse_equal_stems(filter(_is_audio, self._files), self.url)
        for name in sorted(self._files):
            if not _is_audio(name):
                continue
            clip = name
            if official:
                clip = name.removeprefix(SAMPLES)
                if clip == name or clip.count("/") != 1 or not clip.endswith(SAMPLE_SUFFIXES):
                    continue
            first = clip.split("/")[0] if "/" in clip else None
            domain = self._domain(first, official=official)
            yield Utterance(
                id=checked_id(clip, self.url),
                dataset=first or self.name,
                category=category_of(domain),
                domain=domain,
                payload=self._stored(name),
            )

    def _domain(self, first: str | None, *, official: bool) -> str:
        if official and first in OFFICIAL_SETS:
            return "speech" if OFFICIAL_SETS[first] == "speech" else "general"
        if self.domain is not None:
            return self.domain
        if official:
            raise InputError(
                f"data {self.url}, set {first}",
                expected="one of the official sets, or a domain",
                found="neither",
                remedy="Give --domain speech, music or general, or a manifest.",
            )
        return first.lower() if first is not None and first.lower() in DOMAINS else ALL

    def _of_manifest(self) -> Iterator[Utterance]:
        name = PurePosixPath(self.path).name
        if name not in self._files:
            raise InputError(f"data {self.url}", expected="a manifest", found="no such file")
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / name
            copy.write_bytes(self._stored(name)())
            found = list(rows(copy))
        parts = Counter(row.cells.get("path") for row in found)
        usable: dict[int, Utterance] = {}
        problems: dict[int, InputError] = {}
        taken: dict[str, int] = {}
        for row in found:
            try:
                clip = self._of_row(row, alone=parts[row.cells.get("path")] == 1)
                if clip.id in taken:
                    raise InputError(
                        self._where(row), expected="an id of its own",
                        found=f"{clip.id!r}, already in line {taken[clip.id]}",
                    )  # fmt: skip
                taken[clip.id] = row.line
                usable[row.line] = clip
            except InputError as error:
                problems[row.line] = error
        if problems and not usable:
            raise next(iter(problems.values()))
        sets = {clip.dataset: clip for clip in reversed(usable.values())}
        for row in found:
            if row.line in usable:
                yield usable[row.line]
                continue
            # A row that cannot be used fails alone, with its set.
            dataset = row.cells.get("dataset", self.name)
            like = sets.get(dataset) or next(iter(usable.values()))
            yield replace(
                like, id=f"line {row.line}", dataset=dataset, payload=None, labels={},
                start=0.0, duration=None, problem=str(problems[row.line]),
            )  # fmt: skip

    def _where(self, row: FileRow) -> str:
        return f"{self.url}, line {row.line}"

    def _of_row(self, row: FileRow, *, alone: bool) -> Utterance:
        """A row's clip; ``alone`` says that no other row is of its file.

        Raises:
            InputError: it cannot be used.
        """
        cells, where = row.cells, self._where(row)
        if row.problem is not None:
            raise row.problem
        written = cells.get("path", "").removeprefix("./")
        if not written:
            raise InputError(where, expected="a value in column 'path'", found="none")
        domain = known_domain(cells["domain"], where) if "domain" in cells else self.domain
        if domain is None:
            raise InputError(
                where, expected="a value in column 'domain'", found="none",
                remedy="Fill the column in, or give --domain.",
            )  # fmt: skip
        stretch = stretch_of(cells, where)
        name = cells.get("id")
        if name is None:
            name = written
            if stretch.start or (stretch.duration is not None and not alone):
                stem = without_extension(written)
                name = f"{stem}_{stretch.label}{written[len(stem) :]}"
        there = written in self._files
        return Utterance(
            id=checked_id(name, where),
            dataset=cells.get("dataset", self.name),
            category=category_of(domain),
            domain=domain,
            payload=self._stored(written) if there else None,
            start=stretch.start,
            duration=stretch.duration,
            labels=labels_of(cells),
            problem=None if there else f"{where}: {written}: no such file",
        )


def _is_audio(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in EXTENSIONS
