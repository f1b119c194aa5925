"""Standard output and error as they may be: closed, of another encoding, full, nobody reading."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import TextIO

GONE = 141
"""The status where the reader of our output has gone, as a shell reports of SIGPIPE."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def guarded(prefix: str, work: Callable[[], int]) -> int:
    """Run a command that prints; returns its exit status.

    Characters that a stream's encoding does not have are replaced, and a stream that is closed
    takes nothing. A reader that goes (``| head -1``) and a full disk end the command in order.

    Args:
        prefix: of the message.
        work: the command.
    """
    forgiving()
    try:
        try:
            return work()
        finally:
            sys.stdout.flush()  # here, not when the interpreter ends
    except BrokenPipeError:
        abandon(sys.stdout, sys.stderr)
        return GONE
    except OSError as error:
        if error.errno not in _FULL:
            raise
        abandon(sys.stdout)
        where = error.filename or "standard output"
        print(f"{prefix}: {where}: {os.strerror(error.errno)}", file=sys.stderr)
        return 1


def forgiving() -> None:
    """Have standard output and error replace what they cannot encode, and stand being closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or stream.closed:
            setattr(sys, name, nowhere())
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def nowhere() -> TextIO:
    """A stream that forgets."""
    return open(os.devnull, "w", encoding="utf-8")


def abandon(*streams: TextIO) -> None:
    """Send what is still to be written to these to nowhere, or ending would fail on it again."""
    for stream in streams:
        try:
            number = stream.fileno()
        except (OSError, ValueError):  # no file below it
            continue
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)
