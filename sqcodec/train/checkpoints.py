"""Checkpoints of a run: whole, atomic, the last few and the best."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from sqcodec.errors import InputError
from sqcodec.pickles import read_pickle

FOLDER = "checkpoints"
BEST = "best.pt"
_PREFIX, _SUFFIX = "step-", ".pt"


class Checkpoints:
    """The checkpoints in one run's folder.

    Args:
        run: the run's folder.
        keep: how many of the last ones stay.
    """

    def __init__(self, run: Path, keep: int = 2) -> None:
        self.folder, self.keep = run / FOLDER, keep

    def path(self, step: int) -> Path:
        return self.folder / f"{_PREFIX}{step:08d}{_SUFFIX}"

    def steps(self) -> list[int]:
        """Steps that have a checkpoint, in order."""
        names = (path.name for path in self.folder.glob(f"{_PREFIX}*{_SUFFIX}"))
        digits = (name.removeprefix(_PREFIX).removesuffix(_SUFFIX) for name in names)
        return sorted(int(text) for text in digits if text.isdecimal())

    def write(self, step: int, state: dict[str, Any], best: bool) -> Path:
        """Write the checkpoint of a step in one piece, then let old ones go.

        Raises:
            InputError: it cannot be written; those before it are intact.
        """
        path = self.path(step)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            if best:
                _link(path, self.folder / BEST)
        except (OSError, RuntimeError) as error:
            partial.unlink(missing_ok=True)
            before = self.steps()
            intact = f"{self.path(before[-1])} is intact" if before else "there is none before it"
            raise InputError(
                str(path),
                expected="to write a checkpoint",
                found=str(error),
                remedy=f"Free space or choose another --out, then --resume; {intact}.",
            ) from error
        for old in self.steps()[: -self.keep]:
            self.path(old).unlink(missing_ok=True)
        return path

    def latest(self) -> Path:
        """The newest checkpoint.

        Raises:
            InputError: there is none.
        """
        steps = self.steps()
        if not steps:
            raise InputError(
                str(self.folder),
                expected="a checkpoint to resume from",
                found="none",
                remedy="Leave out --resume to start this run.",
            )
        return self.path(steps[-1])


def _link(target: Path, name: Path) -> None:
    """A second name for a file: no second copy on disk where links exist."""
    partial = name.with_suffix(".link")
    partial.unlink(missing_ok=True)
    try:
        os.link(target, partial)
    except OSError:
        partial.write_bytes(target.read_bytes())
    partial.replace(name)


def read_state(path: Path, keys: set[str]) -> dict[str, Any]:
    """Read a checkpoint that holds ``keys``, on the CPU.

    Raises:
        InputError: missing, unreadable, or without one of the keys.
    """
    if not path.is_file():
        raise InputError(str(path), expected="a checkpoint", found="no such file")
    try:
        state = read_pickle(path, "a checkpoint of this trainer")
    except InputError as error:
        raise InputError(
            error.what,
            expected=error.expected,
            found=error.found,
            remedy="Delete it to go on from the one before.",
        ) from None
    missing = sorted(keys - set(state)) if isinstance(state, dict) else sorted(keys)
    if missing:
        raise InputError(
            str(path),
            expected="a checkpoint of this trainer",
            found=f"a file without {', '.join(missing)}",
            remedy="Start a new run from exported weights: --init RUN/model.safetensors.",
        )
    return dict(state)
