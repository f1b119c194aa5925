"""Which file of one folder belongs to which of another: the same relative path, extensions aside.

The official scripts pair by sorted position, so that one missing or renamed file silently
mis-pairs all that follow. Here a name decides, and a name that does not is a problem, said aloud.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqbench import audio
from sqbench.audio import FOREIGN
from sqbench.data.files import Survey, pair_key, printable, survey, without_extension
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

    The same name belongs together; then ``a.flac`` and ``a.flac.wav``; then names that are the
    same but for their extensions, if there is one such file on either side. Names are compared in
    one Unicode form. Hidden files are not looked at; links to folders are followed. Audio in a
    format that is not read is a problem of its own. Two files, whatever they are called, are a
    pair.

    Raises:
        InputError: a folder is missing, cannot be read, or holds no audio file.
    """
    if reference.is_file() and estimate.is_file():
        return [Match(printable(reference.name), reference, estimate)]
    references, estimates = _survey(reference), _survey(estimate)
    pairs = _by_full_name(references.audio, estimates.audio)
    paired = set(pairs.values())
    groups: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for side, names in enumerate((references.audio, estimates.audio)):
        for name in names:
            groups[pair_key(name)][side].append(name)
    matches: list[Match] = []
    for ours, theirs in groups.values():
        alone = (
            [name for name in ours if name not in pairs],
            [name for name in theirs if name not in paired],
        )
        if any(alone):
            problem = _ambiguous(ours, theirs, reference, estimate)
            if problem is not None:
                for name in ours:
                    pairs.pop(name, None)
                matches.append(Match(ours[0], problem=problem))
            elif len(ours) == len(theirs) == 1:
                pairs[ours[0]] = theirs[0]
            else:
                matches += _lonely(*alone, reference, estimate)
    matches += [Match(r, reference / r, estimate / e) for r, e in pairs.items()]
    for found, folder in ((references, reference), (estimates, estimate)):
        matches += [
            Match(printable(name), problem=f"{folder / printable(name)}: {_NOT_READ}")
            for name in found.other
            if name.lower().endswith(FOREIGN)
        ]
    return sorted((_printable(match) for match in matches), key=lambda match: natural_key(match.id))


_NOT_READ = "a format that is not read. Convert it to WAV or FLAC"


def not_read(folder: Path) -> tuple[str, ...]:
    """The files of a folder that are no audio by their names, and that `match_folders` leaves."""
    if folder.is_file():
        return ()
    return tuple(name for name in survey(folder).other if not name.lower().endswith(FOREIGN))


def _by_full_name(references: Sequence[str], estimates: Sequence[str]) -> dict[str, str]:
    """Reference to estimate where the names are the same, or the estimate's has one more ending."""
    pairs: dict[str, str] = {}
    for key in (str, _composed, lambda name: _composed(without_extension(name))):
        taken = set(pairs.values())
        free: dict[str, list[str]] = defaultdict(list)
        for name in estimates:
            if name not in taken:
                free[key(name)].append(name)
        plain = str if key is str else _composed
        wanted = Counter(plain(name) for name in references if name not in pairs)
        for name in references:
            there = free.get(plain(name), [])
            if name not in pairs and len(there) == 1 and wanted[plain(name)] == 1:
                pairs[name] = there[0]
    return pairs


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


class Namesakes:
    """The files of a folder, by the clip that they belong to.

    Args:
        names: relative paths.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._full: dict[str, list[str]] = defaultdict(list)
        self._stem: dict[str, list[str]] = defaultdict(list)
        for name in names:
            self._full[_composed(name)].append(name)
            self._stem[pair_key(name)].append(name)

    def of(self, clip: str) -> list[str]:
        """The clip's files: of its name, or else of that and another ending, or else of its stem.

        Several where the names do not tell which it is.
        """
        full = _composed(clip)
        exact = [name for name in self._full.get(full, []) if name == clip]
        return exact or self._full.get(full) or self._stem.get(full) or self._by_stem(clip)

    def _by_stem(self, clip: str) -> list[str]:
        return self._stem.get(pair_key(clip), [])


def saved_names(ids: Iterable[str]) -> dict[str, str]:
    """A WAV file's relative path for each clip: no two the same, and each paired by its clip's id.

    The extension becomes ``.wav``; where several clips differ in theirs only, it is kept, and
    ``.wav`` follows.
    """
    ids = list(ids)
    count = Counter(pair_key(name) for name in ids)
    names: dict[str, str] = {}
    taken = {name for name in ids if name.endswith(".wav")}
    for name in ids:
        if name.endswith(".wav"):
            names[name] = name
            continue
        short = f"{without_extension(name)}.wav"
        alone = count[pair_key(name)] == 1 and short not in taken
        names[name] = short if alone else f"{name}.wav"
        while names[name] in taken:
            names[name] += ".wav"
        taken.add(names[name])
    return names


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which ``clip2`` comes before ``clip10``; ties go by the text itself."""
    parts = re.split(r"(\d+)", text)
    numbers = [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts if p]
    return (*numbers, (-1, 0, text))


def _survey(folder: Path) -> Survey:
    if not folder.is_dir():
        found = "a file" if folder.exists() else "no such folder"
        raise InputError(str(folder), expected="a folder of audio files", found=found)
    found_files = survey(folder)
    if not found_files.audio:
        raise InputError(
            str(folder),
            expected=f"audio files ({', '.join(e[1:] for e in audio.EXTENSIONS)})",
            found="none",
        )
    return found_files


def _ambiguous(
    ours: Sequence[str], theirs: Sequence[str], reference: Path, estimate: Path
) -> str | None:
    """Why names of one stem do not tell which belong together."""
    for names, folder in ((ours, reference), (theirs, estimate)):
        if len(names) > 1 and ours and theirs:
            return f"ambiguous: {folder} has {' and '.join(map(printable, names))}. Keep one."
    return None


def _lonely(
    ours: Sequence[str], theirs: Sequence[str], reference: Path, estimate: Path
) -> list[Match]:
    return [
        Match(name, problem=f"{printable(name)} is in {here} and has no namesake in {there}")
        for names, here, there in ((ours, reference, estimate), (theirs, estimate, reference))
        for name in names
    ]


def _printable(match: Match) -> Match:
    shown = printable(match.id)
    if shown == match.id:
        return match
    return Match(shown, problem=f"{shown} is a name that is not UTF-8. Rename the file.")
