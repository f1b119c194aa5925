"""Clips on an object store: ``s3://``, ``gs://``, ``hf://``, ``memory://`` and what fsspec knows.

A folder, the official layout, or a manifest, with the ids, sets and domains that the same has on a
disk: record keys are the same, so results of either are results of both.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
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
from sqbench.data.manifest import labels_of
from sqbench.data.objects import StoredFile, file_system, version_of
from sqbench.data.rows import SUFFIXES, Row, read_rows
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
        refuse_equal_stems((clip.id for clip in found if not clip.start), self.url)
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
            rows = [Row(line, cells) for line, cells in read_rows(copy)]
        for row in rows:
            yield self._of_row(row)

    def _of_row(self, row: Row) -> Utterance:
        cells, where = row.cells, f"{self.url}, line {row.line}"
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
        there = written in self._files
        return Utterance(
            id=checked_id(cells.get("id", written), where),
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
