"""The official weights on the Hugging Face hub and in its cache."""

from __future__ import annotations

import logging
import threading
from functools import cache
from pathlib import Path

from sqcodec.errors import InputError
from sqcodec.official import PARTS

logger = logging.getLogger(__name__)

OFFICIAL_REPO = "zhai-lw/SQCodec"
OFFICIAL_REVISION = "main"
HUB_TIMEOUT_S = 5.0
"""How long ``auto`` waits for the hub before it takes the bundled weights."""


def cached_files(name: str, revision: str) -> dict[str, Path] | None:
    """The five files in the hub's cache, if all are there; never goes online."""
    from huggingface_hub import try_to_load_from_cache

    files = {}
    for part in PARTS:
        path = try_to_load_from_cache(OFFICIAL_REPO, _hub_name(name, part), revision=revision)
        if not isinstance(path, str):
            return None
        files[part] = Path(path)
    return files


def _hub_name(name: str, part: str) -> str:
    return f"weights/{name}.v0/{part}.pt"


@cache
def hub_commit(revision: str) -> str | None:
    """The commit that ``revision`` means now; ``None`` if the hub does not say so in time."""
    from huggingface_hub import HfApi, constants

    if constants.HF_HUB_OFFLINE:
        return None
    answer: list[str] = []

    def ask() -> None:
        # Any failure, of whichever HTTP library is below, means the same: no answer.
        try:
            info = HfApi().repo_info(OFFICIAL_REPO, revision=revision, timeout=HUB_TIMEOUT_S)
        except Exception as error:
            logger.debug("%s at %s: %s", OFFICIAL_REPO, revision, error)
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


def download(name: str, commit: str) -> dict[str, Path]:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    files = {}
    for part in PARTS:
        try:
            path = hf_hub_download(OFFICIAL_REPO, _hub_name(name, part), revision=commit)
        except (HfHubHTTPError, OSError) as error:
            raise InputError(
                f"{OFFICIAL_REPO}/{_hub_name(name, part)} at {commit}",
                expected="a file that can be fetched",
                found=f"{type(error).__name__}: {str(error).splitlines()[0]}",
                remedy="Try again, or take --weights bundled or PATH.",
            ) from error
        files[part] = Path(path)
    return files
