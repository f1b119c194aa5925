"""Published weights of other people's codecs: which files, from where, loaded strictly.

What ``--weights`` takes, for every codec with published weights:

* ``official``: the published files, from the hub's cache or the hub;
* ``official@REV``: the same at a branch, tag or commit;
* ``auto``: ``official``, with ``main``;
* a path: a folder that holds the published files, or the one file where there is only one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqcodec.errors import InputError
from sqcodec.hub import (
    DEFAULT_REVISION,
    cached_files,
    commit_of,
    download,
    hub_commit,
    why_no_hub,
)


@dataclass(frozen=True, kw_only=True)
class Published:
    """Where a network's weights were published.

    Attributes:
        repo: repository on the Hugging Face hub.
        files: names of the needed files in it.
    """

    repo: str
    files: tuple[str, ...] = ("config.json", "model.safetensors")


@dataclass(frozen=True, kw_only=True)
class Located:
    """Weight files at hand.

    Attributes:
        files: published name to path.
        source, detail: as in `Weights`.
    """

    files: Mapping[str, Path]
    source: str
    detail: str


def split_revision(weights: str) -> tuple[str, str | None]:
    """``official@REV`` into ``official`` and ``REV``; anything else is returned as it is.

    Raises:
        InputError: nothing follows the ``@``.
    """
    name, at, revision = weights.partition("@")
    if name not in ("official", "auto") or not at:
        return weights, None
    if not revision or name == "auto":
        raise InputError(
            f"weights {weights!r}",
            expected="official@REV, with a branch, tag or commit",
            remedy="Only official weights have revisions.",
        )
    return name, revision


def locate(published: Published, weights: str, codec: str) -> Located:
    """The files that ``weights`` means.

    Args:
        published: what they should be.
        weights: see the head of this module.
        codec: its name, for messages.

    Raises:
        InputError: not here and not to be had, or a path without them.
    """
    choice, revision = split_revision(weights)
    if choice in ("auto", "official"):
        return _official(published, revision or DEFAULT_REVISION, codec)
    if choice == "bundled":
        raise InputError(
            f"bundled weights of {codec}",
            expected="official or a path",
            found="none bundled",
            remedy=f"Take --weights official, or --weights PATH with {_listed(published)}.",
        )
    path = Path(weights).expanduser()
    if path.is_file() and len(published.files) == 1:
        files = {published.files[0]: path}
    elif path.is_dir():
        # In the repository's layout, or all files side by side.
        files = {
            name: path / name if (path / name).is_file() else path / Path(name).name
            for name in published.files
        }
        absent = [str(Path(name).name) for name, file in files.items() if not file.is_file()]
        if absent:
            raise InputError(
                str(path),
                expected=f"{_listed(published)}, as {published.repo} has",
                found=f"no {' and no '.join(absent)}",
                remedy=f"Name a folder with the weights of {codec}.",
            )
    else:
        raise InputError(
            f"weights {weights!r} of {codec}",
            expected=f"official, official@REV, or a folder with {_listed(published)}",
            found="a file" if path.is_file() else "no such path",
        )
    return Located(files=files, source=weights, detail=str(path.resolve()))


def _official(published: Published, revision: str, codec: str) -> Located:
    files = cached_files(published.repo, published.files, revision)
    if files is None:
        commit = hub_commit(published.repo, revision)
        if commit is None:
            raise InputError(
                f"official weights of {codec}",
                expected=f"{published.repo} at {revision}, cached or from the hub",
                found=f"not cached, and {why_no_hub()}",
                remedy=f"Go online once, or copy {_listed(published)} into a folder and name it "
                "with --weights PATH.",
            )
        files = download(published.repo, published.files, commit)
    return Located(files=files, source="official", detail=f"{published.repo}@{commit_of(files)}")


def _listed(published: Published) -> str:
    return " and ".join(Path(name).name for name in published.files)


def readiness(published: Published) -> str:
    """Whether the official weights are cached; imports no torch and goes nowhere."""
    if cached_files(published.repo, published.files, DEFAULT_REVISION):
        return "ready (official weights cached)"
    return "no weights here: --weights official, from the hub, or PATH"


def load_transformers(cls: Any, files: Mapping[str, Path], expected: Mapping[str, Any]) -> Any:
    """A model of transformers from its folder: every tensor there, none left over, in float32.

    Args:
        cls: its class.
        files: ``config.json`` and ``model.safetensors``, in one folder.
        expected: attributes that its config must have.

    Raises:
        InputError: damaged, incomplete, or weights of another model.
    """
    import torch

    folder = files["config.json"].parent
    config = _config(cls, files["config.json"], expected)
    with _quiet():
        try:
            model, info = cls.from_pretrained(
                folder,
                config=config,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                ignore_mismatched_sizes=True,  # they are reported below, by name
                output_loading_info=True,
            )
        # Whatever safetensors, torch and transformers raise over a damaged file.
        except Exception as error:
            raise InputError(
                str(files["model.safetensors"]),
                expected=f"weights of a {cls.__name__}",
                found=f"{files['model.safetensors'].stat().st_size} bytes that do not load "
                f"({_brief(error)})",
                remedy="The file is damaged or cut off: fetch it again.",
            ) from error
    for kind, what in (
        ("missing_keys", "absent"),
        ("unexpected_keys", "not of this network"),
        ("mismatched_keys", "of another shape"),
    ):
        for key in sorted(info[kind], key=str):
            name = key if isinstance(key, str) else key[0]
            raise InputError(
                str(files["model.safetensors"]),
                expected=f"the tensors of a {cls.__name__} with {files['config.json']}",
                found=f"{name} {what} ({len(info[kind])} such tensors)",
                remedy="Weights and config do not belong together, or are not the published ones.",
            )
    return model.eval()


def _config(cls: Any, path: Path, expected: Mapping[str, Any]) -> Any:
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
        model_type = stated.get("model_type")
    except (ValueError, AttributeError) as error:
        raise InputError(
            str(path), expected="a JSON object", found=f"{type(error).__name__}: {error}"
        ) from error
    wanted = cls.config_class.model_type
    if model_type != wanted:
        raise InputError(
            str(path),
            expected=f"a model of type {wanted}",
            found=f"type {model_type}",
            remedy="These are the weights of another codec.",
        )
    try:
        config = cls.config_class.from_dict(stated)
    # The config classes of transformers raise what they like over values that they do not take.
    except Exception as error:
        raise InputError(
            str(path), expected=f"a config of {cls.__name__}", found=_brief(error)
        ) from error
    for name, value in expected.items():
        found = getattr(config, name, None)
        if (list(found) if isinstance(found, tuple) else found) != value:
            raise InputError(
                str(path),
                expected=f"{name} {value}",
                found=f"{found}",
                remedy="These are weights of another model of this family.",
            )
    return config


class _quiet:
    """Transformers without its progress bar and its loading report: errors are ours to phrase."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self._logging: Any = logging
        self._verbosity, self._bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
        self._logging.set_verbosity_error()
        self._logging.disable_progress_bar()

    def __exit__(self, *error: object) -> None:
        self._logging.set_verbosity(self._verbosity)
        if self._bar:
            self._logging.enable_progress_bar()


def load_tensors(network: Any, tensors: Mapping[str, Any], where: Path) -> None:
    """Fill a network with these tensors, all of them and nothing else.

    Raises:
        InputError: one is missing, left over, or of another shape.
    """
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    remedy = "These are weights of another network, or the file is incomplete."
    for key in sorted(expected.keys() ^ tensors.keys()):
        missing = key in expected
        raise InputError(
            str(where),
            expected=f"tensor {key}" if missing else "only this network's tensors",
            found="none" if missing else f"tensor {key}",
            remedy=remedy,
        )
    for key, shape in expected.items():
        if tuple(tensors[key].shape) != shape:
            raise InputError(
                str(where),
                expected=f"{key} of shape {shape}",
                found=f"shape {tuple(tensors[key].shape)}",
                remedy=remedy,
            )
    network.load_state_dict(dict(tensors), strict=True)  # each in the type that the network has


def read_tensors(path: Path) -> dict[str, Any]:
    """The dictionary in a file of `torch.save`, without running code that it may hold.

    Raises:
        InputError: damaged, or holding more than plain data.
    """
    from sqcodec.pickles import read_pickle

    found = read_pickle(path, "a file of torch.save")
    if not isinstance(found, dict):
        raise InputError(str(path), expected="a dictionary", found=type(found).__name__)
    return found


def _brief(error: Exception) -> str:
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0][:120] if text else 'no message'}"
