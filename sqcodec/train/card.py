"""What a run leaves to others: weights with a training card, official files, the discriminator."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sqcodec.checkpoint import MODEL_FILE, save_checkpoint
from sqcodec.config import SQCodecConfig, list_configs
from sqcodec.model import SQCodecModel
from sqcodec.official import export_official
from sqcodec.train.data.corpus import Corpus
from sqcodec.train.recipes.recipe import Recipe
from sqcodec.train.record import finite, write_json

DISCRIMINATOR_FILE = "discriminator.safetensors"
OFFICIAL_FOLDER = "official"
_PACKAGES = ("sqbench", "torch", "torchaudio", "numpy", "soundfile", "soxr", "transformers")


def describe(config: SQCodecConfig, recipe: Recipe, corpus: Corpus) -> dict[str, Any]:
    """The resolved run: config, recipe, data, versions."""
    return {
        "config": asdict(config),
        "recipe": asdict(recipe),
        "data": {**corpus.describe(), "skipped": corpus.skipped},
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Of Python and of the packages that training uses, as far as they are installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def export(model: SQCodecModel, card: dict[str, Any], folder: Path) -> Path:
    """Write ``model.safetensors`` (float16) and the card, inside and beside it as JSON."""
    path = save_checkpoint(model, folder / MODEL_FILE, finite(card), half=True)
    write_json(path.with_suffix(".json"), card)
    return path


def export_rest(model: SQCodecModel, discriminator: nn.Module | None, folder: Path) -> list[Path]:
    """Write the official five-file layout, and the discriminator for those who train on.

    A changed network has no official layout.
    """
    from safetensors.torch import save

    paths = []
    if model.config.name in list_configs():
        paths += export_official(model, folder / OFFICIAL_FOLDER)
    if discriminator is not None:
        tensors = {
            key: value.cpu().contiguous() for key, value in discriminator.state_dict().items()
        }
        paths.append(folder / DISCRIMINATOR_FILE)
        paths[-1].write_bytes(save(tensors, {"torch": torch.__version__}))
    return paths
