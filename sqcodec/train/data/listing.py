"""Which files a corpus is made of: folders and manifests, with what manifests say of them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqcodec.errors import InputError
from sqcodec.train.data.manifest import Manifest, read_manifest

EXTENSIONS = {".wav", ".flac", ".ogg", ".opus", ".mp3"}
NO_SOURCES = "not stated (no manifest with columns dataset and license)"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file to train on.

    Attributes:
        path: where it is.
        name: its name in records: relative to what the user named, with ``/``.
        domain: what batches take turns by.
        group: what must not be on both sides of the split together with it.
        row: what its manifest says of it.
    """

    path: Path
    name: str
    domain: str
    group: str
    row: Mapping[str, str] = field(default_factory=dict)


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
    domain, and a ``manifest.csv`` in it the groups, data sets and licences. A manifest (``.csv``
    with a column ``path``, relative to it): the files that it lists, with its columns ``domain``
    and ``group``.

    Raises:
        InputError: a place that is not there, a manifest that cannot be read, two equal names.
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
    entries = []
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        hidden = any(part.startswith(".") for part in relative.parts)
        if path.suffix.lower() not in EXTENSIONS or hidden or not path.is_file():
            continue
        name = relative.as_posix()
        entries.append(
            Entry(
                path=path,
                name=prefix + name,
                domain=name.split("/")[0] if "/" in name else root.resolve().name,
                group=prefix + manifest.group(name),
                row=manifest.rows.get(name, {}),
            )
        )
    return entries


def _in_manifest(path: Path, manifest: Manifest, prefix: str) -> list[Entry]:
    return [
        Entry(
            path=path.parent / name,
            name=prefix + name,
            domain=row.get("domain") or path.resolve().stem,
            group=prefix + manifest.group(name),
            row=row,
        )
        for name, row in sorted(manifest.rows.items())
    ]
