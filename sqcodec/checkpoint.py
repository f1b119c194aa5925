"""Our own weight files: one safetensors file with the config and the training card inside.

Importable without torch; every function that needs it imports it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqcodec.config import SQCodecConfig
from sqcodec.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sqcodec.model import SQCodecModel

FORMAT = "sqcodec-1"
MODEL_FILE = "model.safetensors"
"""What a run directory calls its checkpoint."""


def save_checkpoint(
    model: SQCodecModel,
    path: str | os.PathLike[str],
    metadata: Mapping[str, Any] | None = None,
    half: bool = True,
) -> Path:
    """Write one safetensors file with the whole config and ``metadata`` (JSON-able) inside.

    Args:
        model: the network; its training state is not touched.
        path: the file, replaced in one step, so that a reader never sees half of it.
        metadata: the training card.
        half: store in float16, which halves the file; loading gives float32 again.

    Raises:
        InputError: a parameter is not finite, or would not be in float16.
    """
    import torch
    from safetensors.torch import save

    path = Path(path)
    dtype = torch.float16 if half else torch.float32
    tensors = {
        key: value.detach().to("cpu", dtype).contiguous()
        for key, value in model.state_dict().items()
    }
    _check_finite(tensors, f"weights to save in {path}")
    header = {
        "format": FORMAT,
        "config": model.config.name,
        "config_json": json.dumps(model.config.to_dict()),
        "card": json.dumps(dict(metadata or {})),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    # Not save_file, whose files nobody but their owner may read.
    partial.write_bytes(save(tensors, header))
    os.replace(partial, path)
    return path


def read_card(path: str | os.PathLike[str]) -> tuple[SQCodecConfig, dict[str, Any]]:
    """Config and metadata of a checkpoint, from its header alone.

    Raises:
        InputError: the file is missing, damaged, or no SQCodec checkpoint.
    """
    header = _read_header(Path(path))
    try:
        values = json.loads(header["config_json"])
        card = json.loads(header.get("card", "{}"))
    except (KeyError, ValueError) as error:
        raise InputError(
            str(path),
            expected=f"a checkpoint of format {FORMAT}",
            found=f"format {header.get('format', 'none')}, without a readable config",
            remedy="Save it with sqcodec.weights.save_checkpoint.",
        ) from error
    return SQCodecConfig.from_dict(values, origin=f"config in {path}"), card


def has_card(path: Path) -> bool:
    """Whether a safetensors file says what it is of, in whatever format.

    Raises:
        InputError: the file is missing, damaged or no safetensors file.
    """
    header = _read_header(path)
    return "config_json" in header or "config" in header or "card" in header


def _read_header(path: Path) -> dict[str, str]:
    """Metadata of a safetensors file, whose declared size is checked against the real one."""
    check_file(path, "a safetensors checkpoint")
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            if length > size - 8:
                raise ValueError("header longer than the file")
            header = json.loads(file.read(length))
            end = max((v["data_offsets"][1] for k, v in header.items() if k[:2] != "__"), default=0)
            metadata: dict[str, str] = header.get("__metadata__", {})
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise InputError(
                str(path),
                expected="a safetensors file",
                found=f"{size} bytes that are none ({error})",
                remedy="Fetch or save it again.",
            ) from error
    if size != 8 + length + end:
        raise InputError(
            str(path),
            expected=f"{8 + length + end} bytes",
            found=f"{size} bytes: the file is cut off or has something appended",
            remedy="Fetch or save it again.",
        )
    return metadata


def load_checkpoint(
    path: str | os.PathLike[str], config: SQCodecConfig | None = None
) -> tuple[SQCodecModel, dict[str, Any]]:
    """Load `save_checkpoint`'s file: the network in float32, in evaluation mode, and metadata.

    Args:
        path: the file, or a run directory that holds ``model.safetensors``.
        config: what the file has to be for; ``None`` takes what it says.

    Raises:
        InputError: missing, damaged, incomplete, not finite, or for another config.
    """
    from safetensors.torch import load_file

    path = Path(path)
    path = path / MODEL_FILE if path.is_dir() else path
    found, card = read_card(path)
    if config is not None and found != config:
        raise InputError(
            str(path),
            expected=f"weights of {config.name}",
            found=f"weights of {found.name}"
            + ("" if found.name != config.name else " with other settings"),
            remedy="They know their config: SQCodec.from_pretrained(PATH), or "
            "--codec sqcodec --weights PATH.",
        )
    tensors = load_file(path)
    return build_model(found, tensors, {"": str(path)}), card


def build_model(
    config: SQCodecConfig, tensors: Mapping[str, Tensor], files: Mapping[str, str]
) -> SQCodecModel:
    """The network with copies of these tensors, all of them and nothing else, in float32."""
    import torch

    from sqcodec.isolation import isolated
    from sqcodec.model import SQCodecModel

    def file_of(key: str) -> str:
        return files.get(key.split(".")[0]) or files.get("") or next(iter(files.values()))

    # Without values to draw: the caller's random numbers and default dtype are not touched.
    with isolated(), torch.device("meta"):
        model = SQCodecModel(config)
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    remedy = f"They are not the weights of {config.name}, or the file is incomplete."
    for key in sorted(expected.keys() ^ tensors.keys()):
        missing = key in expected
        raise InputError(
            file_of(key),
            expected=f"tensor {key}" if missing else f"only the tensors of {config.name}",
            found="none" if missing else f"tensor {key}",
            remedy=remedy,
        )
    for key, shape in expected.items():
        if tuple(tensors[key].shape) != shape:
            raise InputError(
                file_of(key),
                expected=f"{key} of shape {shape}",
                found=f"shape {tuple(tensors[key].shape)}",
                remedy=remedy,
            )
    _check_finite(tensors, file_of)
    with isolated():
        copies = {
            key: value.detach().to(torch.float32, copy=True) for key, value in tensors.items()
        }
        model.load_state_dict(copies, strict=True, assign=True)
    return model.eval()


def network_names(config: SQCodecConfig) -> list[str]:
    """Names of all tensors of a network."""
    import torch

    from sqcodec.isolation import isolated
    from sqcodec.model import SQCodecModel

    with isolated(), torch.device("meta"):
        return list(SQCodecModel(config).state_dict())


def tensors_sha256(model: nn.Module) -> str:
    """Hash over names, shapes and float32 values of all tensors of a network.

    The same weights have the same hash, whichever kind of file they came from.
    """
    digest = hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        array = value.detach().float().cpu().contiguous().numpy()
        digest.update(f"{key}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def check_file(path: Path, what: str) -> None:
    if not path.is_file():
        raise InputError(
            str(path), expected=what, found="a folder" if path.is_dir() else "no such file",
            remedy="Check the path, or choose --weights auto.",
        )  # fmt: skip


def _check_finite(tensors: Mapping[str, Tensor], where: Any) -> None:
    for key, value in tensors.items():
        if not math.isfinite(float(value.float().sum())):  # faster than asking each value
            raise InputError(
                where if isinstance(where, str) else where(key),
                expected="finite weights",
                found=f"NaN or infinity in {key}",
                remedy="The training diverged, or the file is damaged.",
            )
