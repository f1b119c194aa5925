"""Files that are replaced whole: a reader sees the old content or the new, never a part."""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from sqbench.errors import InputError


def write_json(path: Path, content: Any) -> None:
    """Write JSON so that a reader sees the old file or the new one, never a part.

    Raises:
        InputError: see `write_bytes`.
        ValueError: the content holds NaN or infinity.
    """
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace a file as a whole, in UTF-8; see `write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file as a whole; its folder is made if it is not there.

    Raises:
        InputError: the file cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(part, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # without it the rename itself may be lost with the power
        finally:
            os.close(folder)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        unwritable(path, error)


def unwritable(path: Path, error: OSError) -> NoReturn:
    """Raise the `InputError` of a path that cannot be written to."""
    found = error.strerror or type(error).__name__
    remedy = "Name another folder with --out; finished work is kept."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "Free disk space or name another folder with --out; finished work is kept."
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        remedy = "Allow writing there or name another folder with --out; finished work is kept."
    elif error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        file = next((parent for parent in path.parents if parent.is_file()), None)
        if file is not None:
            found = f"{file} is a file"
        remedy = "Move what is in the way or name another folder with --out."
    raise InputError(
        str(path), expected="a place to write results", found=found, remedy=remedy
    ) from error
