"""Types of arguments that several commands take."""

from __future__ import annotations

import argparse
from pathlib import Path


def path(text: str) -> Path:
    """A path. None at all, which a shell makes of an unset variable, is not the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("expected a path, found nothing")
    return Path(text)
