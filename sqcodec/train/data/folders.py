"""The audio files of a folder, links followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from sqcodec.audiofile import is_audio
from sqcodec.errors import InputError


def audio_files(root: Path) -> list[str]:
    """Relative paths with ``/`` of every audio file below a folder but hidden ones, sorted.

    Links to folders are followed, wherever they lead, but for those into a folder that they lie in
    and, behind another link, those to what was there already: neither would end.

    Raises:
        InputError: a folder that cannot be read.
    """
    real = os.path.realpath(root)
    names = _below(str(root), "", frozenset({real}), {real}, False)
    return sorted(name for name in names if is_audio(os.path.join(root, name)))


def _below(
    folder: str, prefix: str, above: frozenset[str], seen: set[str], behind_link: bool
) -> Iterator[str]:
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise InputError(
            folder,
            expected="a folder that can be read",
            found=error.strerror or str(error),
            remedy="Correct its permissions, or move it elsewhere.",
        ) from None
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.isdir(path):
            yield prefix + name
            continue
        real, link = os.path.realpath(path), os.path.islink(path)
        if real in above or (link and behind_link and real in seen):
            continue
        seen.add(real)
        yield from _below(path, f"{prefix}{name}/", above | {real}, seen, behind_link or link)
