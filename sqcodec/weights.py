"""Which weights a name means: official, bundled or a path. Finds them, loads them, hashes them.

Official weights are five files a setting in the Hugging Face repository of the paper's authors.
Bundled weights ship with this package and were trained with its own trainer.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqcodec.checkpoint import (
    MODEL_FILE,
    has_card,
    load_checkpoint,
    read_card,
    save_checkpoint,
    tensors_sha256,
)
from sqcodec.config import SQCodecConfig, list_configs, load_config, resolve_name, short_name
from sqcodec.errors import InputError
from sqcodec.hub import (
    DEFAULT_REVISION,
    cached_files,
    commit_of,
    download,
    hub_commit,
    why_no_hub,
)
from sqcodec.official import PARTS, export_official, is_pickle, load_network, load_official

if TYPE_CHECKING:
    from sqcodec.model import SQCodecModel

__all__ = [
    "WeightsInfo",
    "WeightsStatus",
    "bundled_path",
    "export_official",
    "load_checkpoint",
    "load_weights",
    "read_card",
    "save_checkpoint",
    "tensors_sha256",
    "weights_status",
]

logger = logging.getLogger(__name__)

OFFICIAL_REPO = "zhai-lw/SQCodec"


@dataclass(frozen=True, kw_only=True)
class WeightsInfo:
    """Which weights a network holds.

    Attributes:
        source: ``official``, ``bundled`` or the path that was given.
        sha256: over all loaded tensors in float32 (see `tensors_sha256`).
        detail: repository and commit, or the file.
        config: the setting they belong to.
    """

    source: str
    sha256: str
    detail: str
    config: str


def load_weights(
    name: str | os.PathLike[str],
    weights: str | os.PathLike[str] = "auto",
    *,
    revision: str | None = None,
    notify: Callable[[str], None] | None = None,
) -> tuple[SQCodecModel, WeightsInfo]:
    """Load a network.

    Args:
        name: a setting (``6kbps``, ``6k``, ``sqcodec-6k``), or a path as for ``weights``, whose
            setting is then detected.
        weights: ``auto`` (official if cached or if the hub answers, else bundled), ``official``,
            ``bundled``, or a path: a run directory, a file of weights (ours, or any safetensors or
            torch file with the tensors of one network, see `sqcodec.names`), a folder with the five
            published files, or one with ``{setting}.v0`` folders of them.
        revision: branch, tag or commit of the official repository; default ``main``.
        notify: gets one line that says which weights were taken; default is this module's logger.

    Raises:
        InputError: nothing found, or what was found cannot be used.
    """
    name, weights, say = os.fspath(name), os.fspath(weights), notify or logger.info
    if not (name and weights):
        raise InputError("weights", expected="a name or a path", found="an empty text")
    if _is_path(name):
        if weights != "auto":
            raise InputError(
                f"weights {weights!r} beside the path {name!r}",
                expected="a setting's name with weights, or a path alone",
            )
        model, info = _from_path(Path(name), None)
    else:
        config = load_config(name)
        if _is_path(weights):
            model, info = _from_path(Path(weights), config)
        elif weights == "official":
            model, info = _official(config, revision or DEFAULT_REVISION)
        elif weights == "bundled":
            model, info = _bundled(config)
        elif weights == "auto":
            model, info = _auto(config, revision or DEFAULT_REVISION)
        else:
            raise InputError(
                f"weights {weights!r}",
                expected="auto, official, bundled, or the path of a file or folder",
                found="no such file",
            )
    say(f"sqcodec {info.config}: {info.source} weights {info.sha256[:8]} ({info.detail})")
    return model, info


def _is_path(text: str) -> bool:
    """Whether ``text`` is meant as a path. A setting's name never is, whatever files there are."""
    if text in ("auto", "official", "bundled"):
        return False
    looks = os.sep in text or text.startswith((".", "~")) or text.endswith(".safetensors")
    if looks:
        return True
    try:
        resolve_name(text)
    except InputError:
        return Path(text).exists()
    return False


def _from_path(path: Path, config: SQCodecConfig | None) -> tuple[SQCodecModel, WeightsInfo]:
    path = path.expanduser()
    file = path / MODEL_FILE if (path / MODEL_FILE).is_file() else path
    if file.is_file() and (is_pickle(file) or not has_card(file)):
        model = load_network(file, config)
    elif file.is_file():
        model, _ = load_checkpoint(file, config)
    else:
        model = load_official(_local_files(path, config), config, weights_of=str(path))
    return model, _info(model, str(path), str(path.resolve()))


def _local_files(folder: Path, config: SQCodecConfig | None) -> dict[str, Path]:
    """Where the five files are in ``folder``: in it, or in a folder ``{setting}.v0`` of it."""
    if not folder.is_dir():
        raise InputError(str(folder), expected="a weights file or folder", found="no such path")
    names = [config.name] if config else list_configs()
    candidates = [folder, *(folder / f"{name}.v0" for name in names)]
    holding = [c for c in candidates if any((c / f"{part}.pt").is_file() for part in PARTS)]
    if len(holding) != 1:
        raise InputError(
            str(folder),
            expected=f"{MODEL_FILE}, or {PARTS[0]}.pt and its four companions in it or in "
            f"{names[0] if config else '{setting}'}.v0",
            found="none of them"
            if not holding
            else f"several settings: {', '.join(c.name for c in holding)}",
            remedy="" if not holding else "Name the setting beside the folder.",
        )
    return {part: holding[0] / f"{part}.pt" for part in PARTS}


def bundled_path(name: str) -> Path:
    """Where the bundled weights of a setting are, if it has any."""
    return Path(__file__).parent / "bundled" / f"sqcodec-{short_name(name)}.safetensors"


def _bundled(config: SQCodecConfig) -> tuple[SQCodecModel, WeightsInfo]:
    path = bundled_path(config.name)
    if not path.is_file():
        present = [name for name in list_configs() if bundled_path(name).is_file()]
        raise InputError(
            f"bundled weights of {config.name}",
            expected=str(path),
            found=f"none; bundled are {', '.join(present) or 'no settings'}",
            remedy="Take --weights official, --weights PATH, or train: python -m sqcodec.train.",
        )
    model, _ = load_checkpoint(path, config)
    return model, _info(model, "bundled", path.name)


def _auto(config: SQCodecConfig, revision: str) -> tuple[SQCodecModel, WeightsInfo]:
    if _cached(config.name, revision) or hub_commit(OFFICIAL_REPO, revision):
        return _official(config, revision)
    if not bundled_path(config.name).is_file():
        raise InputError(
            f"weights of {config.name}",
            expected="official weights (cached, or a hub that answers) or bundled ones",
            found=f"no cached files of {OFFICIAL_REPO}, {why_no_hub()}, and none bundled",
            remedy="Go online once, or name a file or folder with --weights PATH.",
        )
    return _bundled(config)


def _official(config: SQCodecConfig, revision: str) -> tuple[SQCodecModel, WeightsInfo]:
    files = _cached(config.name, revision)
    if not files:
        commit = hub_commit(OFFICIAL_REPO, revision)
        if commit is None:
            raise InputError(
                f"official weights of {config.name}",
                expected=f"{OFFICIAL_REPO} at {revision}, cached or from the hub",
                found=f"not cached, and {why_no_hub()}",
                remedy="Go online, copy the five files and name their folder with --weights PATH, "
                "or take --weights bundled.",
            )
        files = download(OFFICIAL_REPO, _hub_names(config.name), commit)
    parts = dict(zip(PARTS, files.values(), strict=True))
    model = load_official(parts, config)
    return model, _info(model, "official", f"{OFFICIAL_REPO}@{commit_of(files)}")


def _hub_names(name: str) -> list[str]:
    return [f"weights/{name}.v0/{part}.pt" for part in PARTS]


def _cached(name: str, revision: str) -> dict[str, Path] | None:
    return cached_files(OFFICIAL_REPO, _hub_names(name), revision)


@dataclass(frozen=True, kw_only=True)
class WeightsStatus:
    """Which weights of a setting are at hand.

    Attributes:
        official: whether all five files are in the hub's cache.
        bundled: whether they ship with this package.
    """

    official: bool
    bundled: bool

    @property
    def summary(self) -> str:
        """A phrase for a table: ``official (cached), bundled``."""
        present = ["official (cached)"] * self.official + ["bundled"] * self.bundled
        return ", ".join(present) or "official (to download)"


def weights_status(name: str, revision: str = DEFAULT_REVISION) -> WeightsStatus:
    """Which weights of a setting are at hand, without loading torch or going online."""
    official = resolve_name(name)
    return WeightsStatus(
        official=_cached(official, revision) is not None,
        bundled=bundled_path(official).is_file(),
    )


def _info(model: SQCodecModel, source: str, detail: str) -> WeightsInfo:
    return WeightsInfo(
        source=source, sha256=tensors_sha256(model), detail=detail, config=model.config.name
    )
