"""The published weight files: five state dicts a setting, one per part of the network.

Importable without torch; every function that needs it imports it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sqcodec.checkpoint import build_model, check_file, network_names
from sqcodec.config import SQCodecConfig, list_configs, load_config
from sqcodec.errors import InputError
from sqcodec.names import DIRECTION, normed, renamed, tensors_in, unwrapped
from sqcodec.pickles import read_pickle

if TYPE_CHECKING:
    from torch import Tensor

    from sqcodec.model import SQCodecModel

PARTS = ("encoder", "quantizer", "decoder", "en_encoder", "en_decoder")
"""The network's submodules and, with the suffix ``.pt``, its published files."""
_MARK = "quantizer.project_in.weight"
"""A tensor that every network has once; what stands before it is a wrapper's prefix."""


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
    config = _setting(tensors, config, weights_of or names["encoder"], names["encoder"])
    return build_model(config, _with_norm(config, tensors), names)


def load_network(path: Path, config: SQCodecConfig | None = None) -> SQCodecModel:
    """Load one file of a whole network's tensors that says nothing of its config.

    Args:
        path: of `torch.save` or safetensors; names may be wrapped or nested (`sqcodec.names`).
        config: which setting; ``None`` detects a published one.

    Raises:
        InputError: missing, damaged, with code in it, of several networks or of another setting.
    """
    check_file(path, "a file of weights")
    if path.suffix == ".safetensors" or not is_pickle(path):
        from safetensors.torch import load_file

        content: object = load_file(path)
    else:
        content = read_pickle(path, "a state dict saved by torch")
    tensors = renamed(tensors_in(content, str(path)), [_MARK], str(path))
    config = _setting(tensors, config, str(path), str(path))
    return build_model(config, _with_norm(config, tensors), {"": str(path)})


def is_pickle(path: Path) -> bool:
    """Whether a file is one of `torch.save`, from how it begins."""
    with path.open("rb") as file:
        return file.read(4)[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def _setting(
    tensors: Mapping[str, Tensor], config: SQCodecConfig | None, whole: str, encoder: str
) -> SQCodecConfig:
    """The setting that tensors are of, by their encoder."""
    detected = _detect(tensors)
    if config is None:
        if detected is None:
            raise InputError(
                whole,
                expected=f"weights of one of {', '.join(list_configs())}",
                found=_strides(tensors),
            )
        return load_config(detected)
    if _encoder_rates(tensors) != config.encoder_rates:
        raise InputError(
            encoder,
            expected=f"the encoder of {config.name}, with strides {config.encoder_rates}",
            found=_strides(tensors) + (f", as {detected} has" if detected else ""),
            remedy="Name the setting that these weights are of.",
        )
    return config


def _strides(tensors: Mapping[str, Tensor]) -> str:
    rates = _encoder_rates(tensors)
    if rates:
        return f"strides {rates}"
    some = ", ".join(list(tensors)[:3])
    return f"no encoder of SQCodec among {len(tensors)} tensors ({some}, ...)"


def _with_norm(config: SQCodecConfig, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return normed(tensors, network_names(config))


def _load_part(path: Path) -> dict[str, Tensor]:
    check_file(path, "one of the five weight files")
    content = read_pickle(path, "a state dict saved by torch")
    return unwrapped(tensors_in(content, str(path)), path.stem)


def _encoder_rates(tensors: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Strides of the encoder, read off the kernels of its down layers."""
    rates = []
    for block in (2, 4, 6):
        layer = f"encoder.blocks.{block}.0"
        kernel = tensors.get(f"{layer}.{DIRECTION}", tensors.get(f"{layer}.weight"))
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
