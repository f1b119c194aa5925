"""A network's tensors from somebody's file, strictly, and without running what it may hold.

Importable without torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench_codecs.pretrained import load_tensors, read_tensors
from sqcodec.errors import InputError

if TYPE_CHECKING:
    from torch import nn

FILES = "a .safetensors file, or a .pt file of torch.save(network.state_dict(), file)"
_WRAPPERS = ("state_dict", "model", "network")
_PREFIXES = ("module.", "_orig_mod.")


def load_state(network: nn.Module, path: Path) -> None:
    """Fill ``network`` from a file: all of its tensors, nothing else, nothing unpickled.

    Args:
        path: safetensors, or a file of `torch.save`; see
            `sqbench_codecs.torch_codec.TorchCodec`.

    Raises:
        InputError: no such file, damaged, more than tensors and plain data, or the tensors of
            another network.
    """
    if not path.is_file():
        raise InputError(
            f"weights {path}", expected=FILES,
            found="a folder" if path.is_dir() else "no such file",
        )  # fmt: skip
    load_tensors(network, _plain_names(_read(path), path), path)


def _read(path: Path) -> Mapping[str, Any]:
    if path.suffix != ".safetensors":
        return read_tensors(path)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(
            str(path), expected="a safetensors file", found=str(error).splitlines()[0],
            remedy="The file is damaged or cut off: save or fetch it again.",
        ) from error  # fmt: skip


def _plain_names(found: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The state dict in a checkpoint, without what trainers wrap it in."""
    for key in _WRAPPERS:
        if isinstance(found.get(key), Mapping):
            found = found[key]
            break
    if not found or not all(hasattr(value, "detach") for value in found.values()):
        others = [key for key, value in found.items() if not hasattr(value, "detach")]
        raise InputError(
            str(path),
            expected=f"a state dict, alone or under {', '.join(_WRAPPERS)}",
            found=f"{', '.join(map(str, others[:3]))} in it" if others else "nothing in it",
        )
    for prefix in _PREFIXES * 2:
        if all(name.startswith(prefix) for name in found):
            found = {name.removeprefix(prefix): value for name, value in found.items()}
    return found
