"""What a C library writes to standard error, taken instead of shown."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ONE_AT_A_TIME = threading.Lock()
_MPG123 = re.compile(r"\[.*mpg123.*\]|(Note|Warning): ")


@contextmanager
def taken() -> Iterator[list[str]]:
    """A list that holds, after the block, the lines that libmpg123 wrote to standard error.

    The descriptor belongs to the whole process; what anybody else wrote meanwhile is passed on.
    """
    lines: list[str] = []
    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as file:
        try:
            before = os.dup(2)
        except OSError:  # closed: then there is nothing to show, and nothing to take
            yield lines
            return
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(before, 2)
            file.seek(0)
            for line in file.read().decode("utf-8", "replace").splitlines():
                if _MPG123.match(line):
                    lines.append(line)
                elif line:
                    os.write(before, f"{line}\n".encode())
            os.close(before)
