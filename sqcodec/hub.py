"""Published weights on the Hugging Face hub and in its cache, of any repository."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from sqcodec.errors import InputError

logger = logging.getLogger(__name__)

DEFAULT_REVISION = "main"
HUB_TIMEOUT_S = 5.0
"""How long ``auto`` waits for the hub before it takes what is here."""


def cached_files(repo: str, names: Sequence[str], revision: str) -> dict[str, Path] | None:
    """Files of a repository in the hub's cache, if all are there; never goes online."""
    from huggingface_hub import try_to_load_from_cache

    files = {}
    for name in names:
        path = try_to_load_from_cache(repo, name, revision=revision)
        if not isinstance(path, str):
            return None
        files[name] = Path(path)
    return files


def commit_of(files: dict[str, Path]) -> str:
    """The commit that files of the cache are of: they lie under ``snapshots/<commit>``."""
    name, path = next(iter(files.items()))
    return path.parents[name.count("/")].name


@cache
def hub_commit(repo: str, revision: str) -> str | None:
    """The commit that ``revision`` means now; ``None`` if the hub does not say so in time."""
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE:
        return None
    answer: list[str] = []

    def ask() -> None:
        # Any failure, of whichever HTTP library is below, means the same: no answer.
        try:
            info = HfApi().repo_info(repo, revision=revision, timeout=HUB_TIMEOUT_S)
        except Exception as error:
            logger.debug("%s at %s: %s", repo, revision, error)
        else:
            answer.append(str(info.sha))

    # In a thread, because resolving a host name can outlast every timeout.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(HUB_TIMEOUT_S)
    return answer[0] if answer else None


def why_no_hub() -> str:
    from huggingface_hub import constants

    return "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the hub does not answer"


def download(repo: str, names: Sequence[str], commit: str) -> dict[str, Path]:
    """Fetch files of a repository into the hub's cache.

    Raises:
        InputError: one cannot be fetched.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    files = {}
    for name in names:
        try:
            path = hf_hub_download(repo, name, revision=commit)
        except (HfHubHTTPError, OSError) as error:
            raise InputError(
                f"{repo}/{name} at {commit}",
                expected="a file that can be fetched",
                found=f"{type(error).__name__}: {str(error).splitlines()[0]}",
                remedy="Try again, or name a local copy with --weights PATH.",
            ) from error
        files[name] = Path(path)
    return files


def snapshot(
    repo: str, revision: str | None = None, *, files: Sequence[str] = (), expected: str, remedy: str
) -> Path:
    """A repository, or its ``files`` alone, in the hub's cache; the folder's name is the commit.

    Args:
        expected: what it should be, for the message; ``remedy`` likewise.

    Raises:
        InputError: it is no name that a repository can have, or it cannot be fetched.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=list(files) or None))
    except Exception as error:  # of whichever HTTP library is below
        first = next(iter(str(error).strip().splitlines()), "no reason given").rstrip(".")
        if isinstance(error, HFValidationError):
            first = "no such folder, and no name that a repository can have"
        raise InputError(
            repo if revision is None else f"{repo}@{revision}",
            expected=expected,
            found=f"{type(error).__name__}: {first}",
            remedy=remedy,
        ) from error
