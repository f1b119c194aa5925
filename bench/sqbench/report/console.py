"""The one way to print for people: as wide as the terminal, and nobody's text read as markup."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, TextIO

from sqcodec.streams import nowhere

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

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise  # for `sqcodec.streams.guarded`; rich would end with a status of its own

    stream = _usable(sys.stderr if stderr else sys.stdout)
    tty = stream.isatty()
    return Plain(
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


def _usable(stream: TextIO | None) -> TextIO:
    return nowhere() if stream is None or stream.closed else stream
