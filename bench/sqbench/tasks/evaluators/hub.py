"""Where evaluators' models come from: a local folder, or a repository at a revision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqcodec.hub
from sqbench.errors import InputError
from sqbench.tasks.evaluators.base import file_sha256

_REMEDY = "Check the name and the network, or give a folder as name@FOLDER."


@dataclass(frozen=True)
class Found:
    """A model's folder, and what identifies it: repository and commit, or the files' hash."""

    folder: Path
    identity: dict[str, str]


def split(source: str) -> tuple[str, str | None]:
    """``id@revision`` in its parts."""
    name, _, revision = source.partition("@")
    return name, revision or None


def local(folder: Path, weights: tuple[str, ...], what: str) -> Found:
    """A folder on this machine, identified by the hash of its weights.

    Args:
        weights: names of the file that holds them, the first that is there counts.

    Raises:
        InputError: none of them is there.
    """
    for name in weights:
        if (folder / name).is_file():
            return Found(folder, {"sha256": file_sha256(folder / name)})
    raise InputError(
        str(folder), expected=f"{what}, with {' or '.join(weights)}", found="no such file"
    )


def hugging_face(source: str, weights: tuple[str, ...], what: str) -> Found:
    """A local folder, or a repository of the Hugging Face hub (``id@revision``), fetched.

    Raises:
        InputError: it is not there, or the hub cannot be reached.
    """
    if Path(source).is_dir():
        return local(Path(source), weights, what)
    name, revision = split(source)
    folder = snapshot(name, revision, what)
    return Found(folder, {"source": name, "revision": folder.name})


def snapshot(name: str, revision: str | None, what: str, files: Sequence[str] = ()) -> Path:
    """A repository of the Hugging Face hub in its cache, fetched if need be.

    Raises:
        InputError: it cannot be fetched.
    """
    return sqcodec.hub.snapshot(
        name,
        revision,
        files=files,
        expected=f"{what}: a local folder, or a repository that can be fetched",
        remedy=_REMEDY,
    )


def fetched(fetch: Callable[[], Path], source: str, what: str) -> Path:
    """What ``fetch`` gives.

    Raises:
        InputError: whatever it raises, in the user's terms.
    """
    try:
        return fetch()
    except Exception as error:  # of whichever HTTP library is below
        lines = str(error).strip().splitlines()
        raise InputError(
            source,
            expected=f"{what}: a local folder, or a repository that can be fetched",
            found=f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}",
            remedy=_REMEDY,
        ) from error
