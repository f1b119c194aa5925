"""Which files a corpus is made of: folders and manifests, with what manifests say of them."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqcodec.errors import InputError
from sqcodec.train.data.folders import audio_files
from sqcodec.train.data.manifest import Manifest, Row, listed, located, read_manifest

NO_SOURCES = "not stated (no manifest with columns dataset and license)"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file to train on, or a stretch of one.

    Attributes:
        path: where it is.
        name: its name in records: relative to what the user named, with ``/``.
        domain: what batches take turns by.
        group: what must not be on both sides of the split together with it.
        row: what its manifest says of it.
        start, duration: the stretch in seconds; to the file's end where ``None``.
    """

    path: Path
    name: str
    domain: str
    group: str
    row: Mapping[str, str] = field(default_factory=dict)
    start: float = 0.0
    duration: float | None = None


@dataclass(frozen=True, kw_only=True)
class Listing:
    """All files of the places that a user named.

    Attributes:
        roots: their last names, which is all that records keep of where they are.
        manifests_sha256: over the bytes of the manifests.
        stated: whether a manifest names data sets and licences.
    """

    entries: list[Entry]
    roots: list[str]
    manifests_sha256: str
    stated: bool

    def sources(self, lengths: Iterable[tuple[str, float]]) -> list[str] | str:
        """Data sets with licence, number of clips and minutes, from ``(name, seconds)`` pairs."""
        if not self.stated:
            return NO_SOURCES
        rows = {entry.name: entry.row for entry in self.entries}
        clips: dict[str, list[float]] = defaultdict(list)
        for name, seconds in lengths:
            row = rows[name]
            if not row:
                clips["not in a manifest: licence not stated"].append(seconds)
                continue
            licence = row.get("license") or "licence not stated"
            clips[f"{row.get('dataset') or 'unnamed'}: {licence}"].append(seconds)
        return [
            f"{name} ({len(found)} clips, {sum(found) / 60:.1f} min)"
            for name, found in sorted(clips.items())
        ]


def list_files(places: Sequence[Path]) -> Listing:
    """The files of folders and manifests.

    A folder: every audio file in it but hidden ones; the first folder level below names the
    domain, and a ``manifest.csv`` in it the groups, data sets and licences. A manifest (``.csv`` or
    ``.jsonl`` with a column ``path``): the files that it lists, with its columns ``domain`` and
    ``group``. ``start``, ``end`` and ``duration`` in seconds make a clip of a part of a file.

    Raises:
        InputError: a place that is not there or cannot be read, a manifest that cannot be used, a
            row of a folder's manifest without its file, two equal names.
    """
    entries: list[Entry] = []
    manifests: list[Manifest] = []
    for place in places:
        prefix = "" if len(places) == 1 else f"{place.resolve().stem}/"
        if place.is_dir():
            manifest = read_manifest(place)
            found = _in_folder(place, manifest, prefix)
        elif place.is_file():
            manifest = read_manifest(place.parent, place.name)
            found = _in_manifest(place, manifest, prefix)
        else:
            raise InputError(
                str(place), expected="a folder of audio files, or a manifest", found="no such path"
            )
        manifests.append(manifest)
        entries += found
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError("--data", expected="each file once", found=f"{twice} twice")
    return Listing(
        entries=entries,
        roots=[place.resolve().name for place in places],
        manifests_sha256=hashlib.sha256("".join(m.sha256 for m in manifests).encode()).hexdigest(),
        stated=any({"dataset", "license"} <= m.columns for m in manifests),
    )


def _in_folder(root: Path, manifest: Manifest, prefix: str) -> list[Entry]:
    files = audio_files(root)
    # Archives and file systems change names between Unicode's forms.
    known = {unicodedata.normalize("NFC", name): name for name in files}
    by_name: dict[str, list[Row]] = {name: [] for name in files}
    rows, missing = located(manifest, lambda path: known.get(unicodedata.normalize("NFC", path)))
    if missing:
        raise InputError(
            str(root / "manifest.csv"),
            expected=f"rows whose files are in {root}",
            found=f"{len(missing)} of {len(manifest.rows)} without: {listed(missing)}",
            remedy="Correct their paths, relative to the manifest, or remove the rows.",
        )
    for row in rows:
        by_name[row.path].append(row)
    entries = []
    for name in files:
        domain = name.split("/")[0] if "/" in name else root.resolve().name
        clips: list[Row | None] = [*by_name[name]]
        for clip in clips or [None]:
            entries.append(_entry(root / name, name, domain, prefix, clip))
    return entries


def _in_manifest(path: Path, manifest: Manifest, prefix: str) -> list[Entry]:
    rows, missing = located(manifest, lambda name: _there(path.parent, name))
    # What is not there is skipped with its reason when it is read.
    return [
        _entry(
            path.parent / row.path,
            row.path.lstrip("/"),
            row.cells.get("domain") or path.resolve().stem,
            prefix,
            row,
        )
        for row in sorted([*rows, *missing], key=lambda row: (row.path, row.line))
    ]


def _there(folder: Path, name: str) -> str | None:
    """The name of a file, in whichever Unicode form it has there."""
    if "\0" in name:
        return None  # no file system has it
    for form in (name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))):
        if (folder / form).is_file():
            return form
    return None


def _entry(path: Path, name: str, domain: str, prefix: str, row: Row | None) -> Entry:
    if row is None:
        return Entry(path=path, name=prefix + name, domain=domain, group=prefix + name)
    return Entry(
        path=path,
        name=prefix + name + row.stretch,
        domain=domain,
        # Stretches of one file stay together where nothing else is said.
        group=prefix + (row.cells.get("group") or name),
        row=row.cells,
        start=row.start,
        duration=row.duration,
    )
