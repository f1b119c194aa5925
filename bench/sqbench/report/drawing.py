"""What every command that draws needs: matplotlib, and a folder to write to."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from sqbench.atomic import unwritable
from sqbench.errors import InputError
from sqbench_codecs.extras import pip_line


def prepare(folder: Path, option: str) -> None:
    """Check, before any work, that pictures can be drawn and written; makes the folder.

    Args:
        option: what named the folder, for the error.

    Raises:
        InputError: matplotlib is missing, or the folder cannot be written to.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError(
            option,
            expected="matplotlib",
            found="no such package",
            remedy=f"Install it: {pip_line('plots')}.",
        )
    writable(folder, option)


def writable(folder: Path, option: str) -> None:
    """Check, before any work, that files can be written; makes the folder.

    Raises:
        InputError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        unwritable(folder, error)
    if not os.access(folder, os.W_OK):
        raise InputError(
            f"{option} {folder}", expected="a folder to write to", found="one that is read-only"
        )
