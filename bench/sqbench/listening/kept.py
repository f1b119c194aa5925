"""Which files of a folder an earlier page wrote, so that those it no longer needs can go.

A page leaves a list of its files and their hashes. What is not on the list, or was changed since,
is somebody's own and stays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from sqbench.atomic import unwritable, write_json

LIST = ".sqbench-files.json"


def replace(folder: Path, names: Sequence[str]) -> list[str]:
    """Remove what the list of an earlier page has and ``names`` have not; list ``names``.

    Args:
        names: files in ``folder``, as they now are.

    Returns:
        The names of what was removed.

    Raises:
        InputError: a file cannot be removed, or the list not be written.
    """
    removed = []
    for name, sha256 in _earlier(folder).items():
        path = folder / name
        # A name with folders in it is none that a page wrote.
        if name in names or path.name != name or path.is_symlink() or not path.is_file():
            continue
        try:
            if _sha256(path) == sha256:
                path.unlink()
                removed.append(name)
        except OSError as error:
            unwritable(path, error)
    write_json(folder / LIST, {"files": {name: _sha256(folder / name) for name in names}})
    return removed


def _earlier(folder: Path) -> dict[str, str]:
    """The list, or nothing where there is none that can be read: then nothing is removed."""
    try:
        files = json.loads((folder / LIST).read_text("utf-8"))["files"]
        return {str(name): str(sha256) for name, sha256 in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _sha256(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
