"""Audio of clips for a page: where a run kept it, as a link or inside the page."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqbench import audio
from sqbench.data.pairing import saved_names
from sqbench.engine.saving import FOLDER, folder_of
from sqbench.errors import InputError
from sqbench.store.reader import run_folders

SECONDS = 15.0
"""At most so much of a clip is put inside a page."""


@dataclass(frozen=True, kw_only=True)
class Saved:
    """Where the runs of results keep decoded audio.

    Attributes:
        folders: (source, codec id) to the folders of its decoded clips, newest run first.
        names: of each of these folders, utterance to the file's relative path.
        origins: place of the source, where it is a folder or a manifest on this disk, by its name.
    """

    folders: Mapping[tuple[str, str], Sequence[Path]]
    names: Mapping[Path, Mapping[str, str]]
    origins: Mapping[str, Path]

    def decoded(self, source: str, codec_id: str, utterance: str) -> Path | None:
        """The newest file of a codec's clip; ``None`` where no run saved it."""
        for folder in self.folders.get((source, codec_id), ()):
            name = self.names[folder].get(utterance)
            if name is not None and (folder / name).is_file():
                return folder / name
        return None

    def original(self, source: str, utterance: str) -> Path | None:
        """The clip as it was before any codec, where its file is on this disk."""
        root = self.origins.get(source)
        if root is None or Path(utterance).is_absolute() or ".." in Path(utterance).parts:
            return None
        path = root / utterance
        return path if path.suffix.lower() in audio.EXTENSIONS and path.is_file() else None


def saved(paths: Iterable[Path], runs: Iterable[Mapping[str, Any]]) -> Saved:
    """Look where runs keep their audio.

    Args:
        paths: results folders.
        runs: as the store has them, oldest first.
    """
    by_name = {folder.resolve().name: folder for path in paths for folder in run_folders(path, [])}
    folders: dict[tuple[str, str], list[Path]] = {}
    names: dict[Path, Mapping[str, str]] = {}
    origins: dict[str, Path] = {}
    for run in runs:
        if "source" not in run:
            continue
        source = run["source"]
        location = Path(source["location"])
        if location.exists():
            origins[source["name"]] = location.parent if location.is_file() else location
        there = by_name.get(run["run_id"])
        if there is None or not (there / FOLDER).is_dir():
            continue
        clips = set(source.get("selection", {}))
        for task in run.get("tasks", {}).values():
            clips |= set(task.get("clips", {}))
        files = saved_names(sorted(clips))
        for codec in run["codecs"]:
            folder = there / FOLDER / folder_of(codec["name"])
            folders.setdefault((source["name"], codec["codec_id"]), []).insert(0, folder)
            names[folder] = files
    return Saved(folders=folders, names=names, origins=origins)


def link(path: Path, page: Path) -> str:
    """The address of a file, relative to the page's folder."""
    relative = os.path.relpath(path.resolve(), page.resolve().parent)
    return quote(Path(relative).as_posix())


def embedded(path: Path) -> str:
    """The beginning of a file (`SECONDS`) as FLAC of 16 bits inside an address.

    Raises:
        InputError: the file cannot be read.
    """
    samples, rate = audio.read(path)
    content = audio.encode_flac(samples[: int(SECONDS * rate)], rate)
    return "data:audio/flac;base64," + base64.b64encode(content).decode()


def address(path: Path | None, page: Path, embed: bool) -> str | None:
    """How the page names a file; ``None`` where there is none, or it cannot be read."""
    if path is None:
        return None
    if not embed:
        return link(path, page)
    try:
        return embedded(path)
    except InputError:
        return None
