"""The one way to print for people: as wide as the terminal, and nobody's text read as markup."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

UNLIMITED = 10_000
"""Columns off a terminal: a table in a file is as wide as it is, and no line is broken."""


def console(*, stderr: bool = False) -> Console:
    """A console for standard output or error.

    Names of files and codecs are printed as they are: ``[x]`` is no style, ``:boom:`` no emoji.
    What the stream's encoding does not have is replaced, and a stream that is closed takes
    nothing.
    """
    from rich.console import Console

    stream = _usable(sys.stderr if stderr else sys.stdout)
    tty = stream.isatty()
    return Console(
        file=stream,
        width=None if tty else UNLIMITED,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )


def width() -> int | None:
    """Columns of the terminal that standard output is; ``None`` if it is none."""
    return shutil.get_terminal_size().columns if _usable(sys.stdout).isatty() else None


def forgiving_streams() -> None:
    """Have standard output and error replace what they cannot encode, and stand being closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or stream.closed:
            setattr(sys, name, _nowhere())
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _usable(stream: TextIO | None) -> TextIO:
    return _nowhere() if stream is None or stream.closed else stream


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")
