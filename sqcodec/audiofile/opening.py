"""Opening a file: mapped into memory, or why it cannot be, in words."""

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqcodec.audiofile.chunked import Data
from sqcodec.audiofile.errors import AudioError


def shown(path: Path) -> str:
    """A path as text, with an escape for each byte that is not UTF-8."""
    return os.fspath(path).encode("utf-8", "backslashreplace").decode()


@contextmanager
def opened(source: Path | bytes, label: str) -> Iterator[tuple[Data, int | None]]:
    """The bytes of a source, mapped and not read if it is a file, and the file's descriptor."""
    if not isinstance(source, Path):
        if not source:
            raise _empty(label)
        yield source, None
        return
    try:
        # Without O_NONBLOCK a named pipe would wait for somebody to write to it.
        descriptor = os.open(source, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        raise AudioError(
            label, kind="missing", expected="an audio file", found=describe_os_error(error, source)
        ) from None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            kind = "a folder" if stat.S_ISDIR(about.st_mode) else "a pipe, socket or device"
            raise AudioError(label, kind="unreadable", expected="an audio file", found=kind)
        if about.st_size == 0:
            raise _empty(label)
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as mapped:
            data = memoryview(mapped)
            try:
                yield data, descriptor
            finally:
                data.release()
    finally:
        os.close(descriptor)


def _empty(label: str) -> AudioError:
    return AudioError(
        label,
        kind="empty",
        expected="audio",
        found="an empty file (0 bytes)",
        remedy="Replace the file.",
    )


def describe_os_error(error: Exception, path: Path) -> str:
    """Why a file cannot be opened, in words."""
    code = getattr(error, "errno", None)
    if code == errno.EACCES:
        return "permission denied (`ls -l` shows whose it is; chmod u+r makes it readable)"
    if code == errno.ENOENT:
        if path.is_symlink():
            return f"a link to {os.readlink(path)}, which is not there"
        return "no such file"
    if code == errno.ELOOP:
        return "a link that leads back to itself"
    if code == errno.ENAMETOOLONG:
        return "a name longer than the file system allows"
    return str(getattr(error, "strerror", None) or error)
