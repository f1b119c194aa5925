"""The official folder layout of Codec-SUPERB @ SLT 2024 (its ``ref_path``).

The signal suite reads ``samples/<set>/*.wav``, flat; FLAC beside WAV is our extension. Names are
matched in lower case as the official code does, in code-point order of the path.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from sqbench.errors import InputError

from .base import (
    Source,
    Utterance,
    category_of,
    checked_id,
    known_domain,
    refuse_equal_stems,
)
from .manifest import labels_of
from .rows import Cells, read_rows

OFFICIAL_SETS: dict[str, str] = {
    "crema_d": "speech",
    "fluent_speech_commands": "speech",
    "libri2Mix_test": "speech",
    "librispeech": "speech",
    "quesst": "speech",
    "snips_test_valid_subset": "speech",
    "vox_lingua_top10": "speech",
    "voxceleb1": "speech",
    "esc50": "audio",
    "fsd50k": "audio",
    "gunshot_triangulation": "audio",
}
"""The eleven sets and the table category of each."""

FULL_SIZES: dict[str, int] = {"esc50": 2000}
"""How many clips the published data sets behind them have, where the protocol uses them whole."""

TASK_FOLDERS: dict[str, str] = {
    "ESC-50-master": "aec",
    "LibriSpeech": "asr",
    "RAVDESS": "er",
    "vox1_test_wav": "asv",
}
"""The folders of the four applications beside ``samples``."""

SAMPLE_SUFFIXES = (".wav", ".flac")


def is_slt_root(root: Path) -> bool:
    """Whether a folder has the official layout."""
    return (root / "samples").is_dir()


def set_folders(root: Path) -> list[Path]:
    """The folders below ``samples``, sorted by name; hidden ones are left out."""
    folders = (entry for entry in (root / "samples").iterdir() if entry.is_dir())
    return sorted(entry for entry in folders if not entry.name.startswith("."))


def sample_names(folder: Path) -> list[str]:
    """The names of a set's WAV and FLAC files, in code-point order; hidden ones are left out."""
    names = (entry.name for entry in folder.iterdir() if entry.is_file())
    return sorted(n for n in names if n.endswith(SAMPLE_SUFFIXES) and not n.startswith("."))


def ignored_names(folder: Path) -> list[str]:
    """The other names in a set's folder, hidden ones left out."""
    names = {entry.name for entry in folder.iterdir() if not entry.name.startswith(".")}
    return sorted(names - set(sample_names(folder)))


class SLTSource(Source):
    """The signal suite's clips below ``root/samples``; ids are ``<set>/<file name>``.

    The eleven official sets have the protocol's category. Any other set takes its own from the
    column ``domain`` of ``root/manifest.csv`` (rows whose ``path`` is ``samples/<set>/<file>``), or
    from the argument where the manifest says nothing; it is never guessed. The manifest's other
    columns become labels; its hashes are not trusted.

    Args:
        root: the folder that holds ``samples``.
        domain: domain of the sets that are none of the eleven and that no manifest row describes.
    """

    def __init__(self, root: Path, *, domain: str | None = None) -> None:
        if not is_slt_root(root):
            raise InputError(
                str(root),
                expected="the official layout, with a folder 'samples' of sample sets",
                found="no folder 'samples'" if root.is_dir() else "no such folder",
                remedy="Name the folder that holds 'samples'.",
            )
        self.root = root
        self.domain = None if domain is None else known_domain(domain, "domain")
        self.name = root.resolve().name
        self.location = str(root)

    def utterances(self) -> Iterator[Utterance]:
        """The clips of every set, by set and name.

        Raises:
            InputError: no clip at all, a set of unknown category, two clips of one name.
        """
        found = [u for folder in set_folders(self.root) for u in self.one_set(folder)]
        if not found:
            raise InputError(
                str(self.root / "samples"),
                expected=f"sets of {' or '.join(SAMPLE_SUFFIXES)} files (flat, lower-case suffix)",
                found="none",
                remedy="`sqbench data check` lists what is there.",
            )
        return iter(found)

    def unread(self) -> tuple[str, ...]:
        return tuple(
            f"samples/{folder.name}/{name}"
            for folder in set_folders(self.root)
            for name in ignored_names(folder)
        )

    def one_set(self, folder: Path) -> list[Utterance]:
        """The clips of one folder below ``samples``; raises as `utterances` does."""
        name = folder.name
        ids = [checked_id(f"{name}/{file}", str(folder)) for file in sample_names(folder)]
        refuse_equal_stems(ids, str(folder))
        rows: dict[str, Cells] = {
            clip: self._manifest.get(_key(f"samples/{clip}"), {}) for clip in ids
        }
        stated = {clip: row["domain"] for clip, row in rows.items() if "domain" in row}
        fallback = self._fallback(name, sorted(set(stated.values()))) if ids else ""
        category = OFFICIAL_SETS.get(name) or category_of(fallback)
        found = []
        for clip in ids:
            domain = stated.get(clip, fallback)
            found.append(
                Utterance(
                    id=clip,
                    dataset=name,
                    category=category,
                    # In an official set the protocol has the last word.
                    domain=domain if category_of(domain) == category else fallback,
                    path=folder / clip.split("/", 1)[1],
                    labels=labels_of(rows[clip]),
                )
            )
        return found

    def _fallback(self, name: str, stated: list[str]) -> str:
        """The domain of a set's clips that the manifest does not describe."""
        if name in OFFICIAL_SETS:
            return "speech" if OFFICIAL_SETS[name] == "speech" else "general"
        where = str(self.root / "samples" / name)
        if len({category_of(domain) for domain in stated}) > 1:
            raise InputError(
                where,
                expected="one category in a set",
                found=f"domains {', '.join(stated)} in manifest.csv",
                remedy="Split the set into two folders, or correct the manifest.",
            )
        if stated:
            return stated[0] if len(stated) == 1 else "general"
        if self.domain is None:
            raise InputError(
                where,
                expected=f"one of the eleven official sets ({', '.join(OFFICIAL_SETS)}), or "
                f"rows 'samples/{name}/<file>' with a domain in {self.root / 'manifest.csv'}",
                found=f"the set {name!r}, whose category nothing states",
                remedy="Add the rows (columns path, domain: speech, music or general), or give "
                "--domain.",
            )
        return self.domain

    @cached_property
    def _manifest(self) -> dict[str, Cells]:
        """Rows by path; the domain of each is checked here, where the line is known."""
        path = self.root / "manifest.csv"
        if not path.is_file():
            return {}
        rows: dict[str, Cells] = {}
        for line, row in read_rows(path):
            if "domain" in row:
                row["domain"] = known_domain(row["domain"], f"{path}, line {line}")
            if "path" in row:
                rows[_key(row["path"])] = row
        return rows


def _key(path: str) -> str:
    """Paths as compared: one Unicode form, since archives move between the two."""
    return unicodedata.normalize("NFC", path.removeprefix("./"))
