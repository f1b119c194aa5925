"""Decoded clips as files: one a clip, always inside the run's folder."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from pathlib import Path

from sqbench import audio
from sqbench.engine.systems.base import Reconstruction
from sqbench.errors import InputError

FOLDER = "audio"

_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""What stops every clip, not this one's name alone."""


def folder_of(codec: str) -> str:
    """The name of a codec's folder: its own, or where that is no name of a folder, one like it."""
    folder = re.sub(r"[/\\\0:]", "_", codec)
    return f"_{folder}" if folder.strip(".") == "" else folder


def save(run: Path, codec: str, names: Mapping[str, str], outcome: Reconstruction) -> str | None:
    """Write what a codec made of a clip.

    Args:
        run: the run's folder.
        codec: the codec's name; where it is no name of a folder, one that is like it.
        names: relative path by clip (`sqbench.data.pairing.saved_names`).

    Returns:
        Why there is no such file, if the clip's name or a file that is there already is to blame.

    Raises:
        InputError: nothing can be written at all, such as on a full disk.
    """
    path = run / FOLDER / folder_of(codec) / names[outcome.item.utterance.id]
    what = f"{outcome.item.utterance.id}: its decoded audio cannot be saved"
    try:
        # As where a file system does not tell upper and lower case, or Unicode forms, apart.
        if path.exists():
            return f"{what}: there is a file of another clip at {path}"
        audio.write(path, outcome.estimate, outcome.estimate_rate)
    except InputError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno not in _OF_THE_DISK:
            return f"{what}: {audio.describe_os_error(cause, path)}"
        raise
    except OSError as error:  # the name is longer than may be asked for
        return f"{what}: {audio.describe_os_error(error, path)}"
    return None
