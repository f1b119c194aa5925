"""The published weight files: five state dicts a setting, one per part of the network.

Importable without torch; every function that needs it imports it.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sqcodec.checkpoint import build_model, check_file
from sqcodec.config import SQCodecConfig, list_configs, load_config
from sqcodec.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from sqcodec.model import SQCodecModel

PARTS = ("encoder", "quantizer", "decoder", "en_encoder", "en_decoder")
"""The network's submodules and, with the suffix ``.pt``, its published files."""


def export_official(model: SQCodecModel, folder: str | os.PathLike[str]) -> list[Path]:
    """Write ``{name}.v0/{part}.pt`` under ``folder``, as `sq_codec` and this package read them."""
    import torch

    target = Path(folder) / f"{model.config.name}.v0"
    target.mkdir(parents=True, exist_ok=True)
    paths = []
    for part in PARTS:
        state = getattr(model, part).state_dict()
        paths.append(target / f"{part}.pt")
        torch.save({key: value.cpu().clone() for key, value in state.items()}, paths[-1])
    return paths


def load_official(
    files: Mapping[str, Path], config: SQCodecConfig | None = None, *, weights_of: str = ""
) -> SQCodecModel:
    """Load the five files of a published model: part name to path.

    Args:
        files: a path for each of `PARTS`.
        config: which setting; ``None`` detects it, for which the encoder's strides and the
            presence of a compressing transformer are enough.
        weights_of: what to call them in errors.

    Raises:
        InputError: a file is missing, damaged, or of another setting. Decoders of three settings
            have the same shapes, so what tells is the encoder.
    """
    tensors: dict[str, Tensor] = {}
    for part in PARTS:
        for key, value in _load_part(files[part]).items():
            tensors[f"{part}.{key}"] = value
    names = {part: str(path) for part, path in files.items()}
    detected = _detect(tensors)
    if config is None:
        if detected is None:
            raise InputError(
                weights_of or names["encoder"],
                expected=f"weights of one of {', '.join(list_configs())}",
                found=f"encoder strides {_encoder_rates(tensors)}",
            )
        config = load_config(detected)
    elif _encoder_rates(tensors) != config.encoder_rates:
        raise InputError(
            names["encoder"],
            expected=f"the encoder of {config.name}, with strides {config.encoder_rates}",
            found=f"strides {_encoder_rates(tensors)}"
            + (f", as {detected} has" if detected else ""),
            remedy="Name the setting that these weights are of.",
        )
    return build_model(config, tensors, names)


def _load_part(path: Path) -> dict[str, Tensor]:
    import torch

    check_file(path, "one of the five weight files")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, OSError) as error:
        raise InputError(
            str(path),
            expected="a state dict saved by torch",
            found=f"{path.stat().st_size} bytes that do not load ({type(error).__name__}: "
            f"{str(error).splitlines()[0][:120] if str(error) else 'no message'})",
            remedy="The file is damaged or cut off: delete it and fetch it again.",
        ) from error
    if not isinstance(state, dict) or not all(torch.is_tensor(v) for v in state.values()):
        raise InputError(str(path), expected="a state dict of tensors", found=str(type(state)))
    return state


def _encoder_rates(tensors: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Strides of the encoder, read off the kernels of its down layers."""
    key = "encoder.blocks.{}.0.parametrizations.weight.original1"
    rates = []
    for block in (2, 4, 6):
        kernel = tensors.get(key.format(block))
        if kernel is not None and kernel.ndim == 3:
            rates.append(kernel.shape[-1])
    return tuple(rates)


def _detect(tensors: Mapping[str, Tensor]) -> str | None:
    rates = _encoder_rates(tensors)
    compressed = any(key.startswith("en_encoder.down_trans") for key in tensors)
    for name in list_configs():
        config = load_config(name)
        if config.encoder_rates == rates and (config.compress_rate > 1) == compressed:
            return name
    return None
