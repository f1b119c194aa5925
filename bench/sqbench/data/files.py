"""Audio files below a folder, and how their names are compared."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sqbench.audio import EXTENSIONS, FOREIGN, SHARED, is_audio
from sqbench.errors import InputError

_NAMES_SHOWN = 5


@dataclass(frozen=True)
class Survey:
    """The files below a folder, as relative paths with ``/`` separators in code-point order.

    Attributes:
        audio: those that are audio that is read (`sqbench.audio.is_audio`).
        other: all others.
    """

    audio: tuple[str, ...]
    other: tuple[str, ...]


def survey(root: Path) -> Survey:
    """The files below a folder; hidden files and folders are left out.

    Links to folders are followed, wherever they lead, except to a folder that the link itself lies
    in, which would never end; and a link found behind another one only to what was not there yet,
    as folders that all link to each other would nearly never end.

    Raises:
        InputError: a folder that cannot be read.
    """
    real = os.path.realpath(root)
    found = sorted(_below(str(root), "", frozenset({real}), {real}, behind_link=False))
    audio = {name: is_audio(os.path.join(root, name)) for name in found}
    return Survey(
        audio=tuple(name for name in found if audio[name]),
        other=tuple(name for name in found if not audio[name]),
    )


def audio_files(root: Path) -> list[str]:
    """The audio files of `survey`."""
    return list(survey(root).audio)


def _below(
    folder: str, prefix: str, above: frozenset[str], seen: set[str], *, behind_link: bool
) -> Iterator[str]:
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise InputError(
            printable(folder),
            expected="a folder that can be read",
            found=error.strerror or str(error),
            remedy="Correct its permissions, or move it elsewhere.",
        ) from None
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.isdir(path):
            yield prefix + name
            continue
        real = os.path.realpath(path)
        link = os.path.islink(path)
        if real in above or (link and behind_link and real in seen):
            continue
        seen.add(real)
        yield from _below(
            path, f"{prefix}{name}/", above | {real}, seen, behind_link=behind_link or link
        )


def listed(names: Iterable[str]) -> str:
    """Files that are not read, in a line: how many of which extension, and the first few."""
    names = list(names)
    kinds = Counter(PurePosixPath(name).suffix.lower() or "no extension" for name in names)
    # Audio first: it is what somebody may miss.
    names.sort(key=lambda name: not name.lower().endswith(FOREIGN))
    shown = ", ".join(printable(name) for name in names[:_NAMES_SHOWN])
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(_NAMES_SHOWN))
    return f"{shown}{more} ({counts})"


def without_extension(name: str) -> str:
    """A path without the extension of audio that ends it, if one does."""
    for extension in sorted((*EXTENSIONS, *SHARED), key=len, reverse=True):
        if name.lower().endswith(extension):
            stem = name[: -len(extension)]
            return stem if stem.rpartition("/")[2] else name
    return name


def pair_key(name: str) -> str:
    """What two files have in common that belong together: the path, extensions aside.

    In one Unicode form (NFC), since archives and file systems change between the two.
    """
    return unicodedata.normalize("NFC", without_extension(name))


def printable(text: str) -> str:
    """The text with an escape for each byte of a file name that is not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()
