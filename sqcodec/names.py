"""Tensors under other names than ours: wrapped, compiled, nested, or with old names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqcodec.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

COMPILED = "_orig_mod."
GAIN, DIRECTION = "parametrizations.weight.original0", "parametrizations.weight.original1"
_WRAPPERS = ("module", "state_dict", "model", "model_state_dict", "net", "network")
_OLD = {"weight_g": GAIN, "weight_v": DIRECTION}


def tensors_in(content: Any, of: str) -> dict[str, Tensor]:
    """All tensors of nested dictionaries, by dotted name.

    Raises:
        InputError: there is none.
    """
    import torch

    found: dict[str, Tensor] = {}

    def walk(value: Any, prefix: str) -> None:
        for key, part in value.items():
            if torch.is_tensor(part):
                found[f"{prefix}{key}"] = part
            elif isinstance(part, Mapping):
                walk(part, f"{prefix}{key}.")

    if isinstance(content, Mapping):
        walk(content, "")
    if not found:
        raise InputError(
            of,
            expected="a state dict of tensors",
            found=f"a {type(content).__name__} without any",
            remedy="Name the file that a training wrote.",
        )
    return found


def renamed(tensors: Mapping[str, Tensor], marks: Iterable[str], of: str) -> dict[str, Tensor]:
    """The tensors of one network under our names, whatever it was wrapped or nested in.

    ``module.`` (data parallel), ``_orig_mod.`` (torch.compile), ``state_dict.``, ``model.`` and
    any other prefix in front of all names go; so do tensors without it, which are of something
    else, such as a discriminator. ``weight_g`` and ``weight_v`` get their names of today.

    Args:
        tensors: by name.
        marks: names that the network has for sure, of which one is enough.
        of: the file, for messages.

    Raises:
        InputError: several networks are in it.
    """
    plain = _current(tensors)
    marks = tuple(marks)
    prefixes = {
        name[: -len(mark)]
        for name in plain
        for mark in marks
        if name == mark or name.endswith(f".{mark}")
    }
    if len(prefixes) > 1:
        raise InputError(
            of,
            expected="the weights of one network",
            found=f"several, under {', '.join(sorted(p.rstrip('.') or '(top)' for p in prefixes))}",
            remedy="Save the one that is meant by itself.",
        )
    prefix = next(iter(prefixes), "")
    if not prefix:
        return plain
    return {
        name.removeprefix(prefix): value for name, value in plain.items() if name.startswith(prefix)
    }


def unwrapped(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """As `renamed`, of one part of the network, such as ``encoder``, whose name may be in front."""
    plain = _current(tensors)
    while True:
        first = {name.partition(".")[0] for name in plain}
        if len(first) != 1 or not first <= {*_WRAPPERS, part}:
            return plain
        plain = {name.partition(".")[2]: value for name, value in plain.items()}


def _current(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without what torch.compile inserts, and with weight norm's names of today."""
    plain: dict[str, Tensor] = {}
    for name, value in tensors.items():
        stem, _, last = name.replace(COMPILED, "").rpartition(".")
        last = _OLD.get(last, last)
        plain[f"{stem}.{last}" if stem else last] = value
    return plain


def normed(tensors: Mapping[str, Tensor], expected: Iterable[str]) -> dict[str, Tensor]:
    """Plain weights as gain and direction, where the network has weight norm and the file has not.

    That is what `remove_weight_norm` leaves: the same weights, up to a rounding.
    """
    import torch

    found = dict(tensors)
    for name in expected:
        stem = name.removesuffix(GAIN)
        if stem == name or name in found or f"{stem}weight" not in found:
            continue
        weight = found.pop(f"{stem}weight").float()
        found[name] = torch.norm_except_dim(weight, 2, 0)
        found[f"{stem}{DIRECTION}"] = weight
    return found
