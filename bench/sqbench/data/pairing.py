"""Which file of one folder belongs to which of another: the same relative path, extensions aside.

The official scripts pair by sorted position, so that one missing or renamed file silently
mis-pairs all that follow. Here a name decides, and a name that does not is a problem, said aloud.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from sqbench import audio
from sqbench.data.files import audio_files, pair_key, printable
from sqbench.errors import InputError


@dataclass(frozen=True)
class Match:
    """Two files of one name, or the problem with that name.

    Attributes:
        id: relative path of the reference file, with ``/`` (of the estimate where it is alone).
        reference: its path; ``None`` with a problem.
        estimate: its path; ``None`` with a problem.
        problem: why there is no pair.
    """

    id: str
    reference: Path | None = None
    estimate: Path | None = None
    problem: str | None = None


def match_folders(reference: Path, estimate: Path) -> list[Match]:
    """Pair the audio files under two folders, in the natural order of their ids.

    Names are compared in one Unicode form. Files with another extension than those of
    `sqbench.audio.EXTENSIONS`, and hidden ones, are not looked at; links to folders are followed.

    Raises:
        InputError: a folder is missing or holds no audio file.
    """
    references, estimates = _by_name(reference), _by_name(estimate)
    matches = [
        _match(references.get(name, []), estimates.get(name, []), reference, estimate)
        for name in {**references, **estimates}
    ]
    return sorted(matches, key=lambda match: natural_key(match.id))


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which ``clip2`` comes before ``clip10``; ties go by the text itself."""
    parts = re.split(r"(\d+)", text)
    numbers = [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p]
    return (*numbers, (-1, 0, text))


def _by_name(folder: Path) -> dict[str, list[str]]:
    """Audio files under a folder, relative to it, by what pairs them."""
    if not folder.is_dir():
        found = "a file" if folder.exists() else "no such folder"
        raise InputError(str(folder), expected="a folder of audio files", found=found)
    files: dict[str, list[str]] = defaultdict(list)
    for name in audio_files(folder):
        files[pair_key(name)].append(name)
    if not files:
        raise InputError(
            str(folder),
            expected=f"audio files ({', '.join(e[1:] for e in audio.EXTENSIONS)})",
            found="none",
        )
    return files


def _match(references: list[str], estimates: list[str], reference: Path, estimate: Path) -> Match:
    name = (references or estimates)[0]
    shown = printable(name)
    if shown != name:
        return Match(shown, problem=f"{shown} is a name that is not UTF-8. Rename the file.")
    for found, folder in ((references, reference), (estimates, estimate)):
        if len(found) > 1:
            return Match(name, problem=f"ambiguous: {folder} has {' and '.join(found)}. Keep one.")
    if not estimates:
        return Match(name, problem=f"{name} is in {reference} and has no namesake in {estimate}")
    if not references:
        return Match(name, problem=f"{name} is in {estimate} and has no namesake in {reference}")
    return Match(name, reference / references[0], estimate / estimates[0])
