"""Audio files below a folder, and how their names are compared."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from sqbench.errors import InputError

from ..audio import EXTENSIONS


def audio_files(root: Path) -> list[str]:
    """Relative paths (``/`` separators) of the audio files below a folder, in code-point order.

    Hidden files and folders are left out. Links to folders are followed, except to a folder that
    the link itself lies in, which would never end.

    Raises:
        InputError: a folder that cannot be read.
    """
    return sorted(_below(str(root), "", frozenset({os.path.realpath(root)})))


def _below(folder: str, prefix: str, above: frozenset[str]) -> Iterator[str]:
    try:
        names = [name for name in os.listdir(folder) if not name.startswith(".")]
    except OSError as error:
        raise InputError(
            printable(folder),
            expected="a folder that can be read",
            found=error.strerror or str(error),
            remedy="Correct its permissions, or move it elsewhere.",
        ) from None
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            real = os.path.realpath(path)
            if real not in above:
                yield from _below(path, f"{prefix}{name}/", above | {real})
        elif name.lower().endswith(EXTENSIONS):
            yield prefix + name


def pair_key(name: str) -> str:
    """What two files have in common that belong together: the path, extensions aside.

    In one Unicode form (NFC), since archives and file systems change between the two.
    """
    path = PurePosixPath(name)
    stem = str(path.with_suffix("")) if path.suffix.lower() in EXTENSIONS else name
    return unicodedata.normalize("NFC", stem)


def printable(text: str) -> str:
    """The text with an escape for each byte of a file name that is not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()
