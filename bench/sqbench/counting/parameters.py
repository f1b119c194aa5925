"""How many parameters a network has, by part, and what its weights take on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

Parts = Mapping[str, Sequence[str]]
"""Names of submodules by part, as in `sqbench_codecs.base.Blueprint`."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Parameters of a network; a tensor that two modules share counts once.

    Attributes:
        total: all of them, unused ones included.
        by_part: of each part; ``unused`` for what inference never runs, and ``other`` for what no
            part claims, are there only if they are not empty.
        buffers: entries of the state dict that are no parameters, such as EnCodec's codebooks.
        bytes: of the whole state dict: the size of the weights on disk, a header aside.
    """

    total: int
    by_part: Mapping[str, int]
    buffers: int
    bytes: int


def parameters(network: nn.Module, parts: Parts) -> Parameters:
    """Count the parameters of ``network``; it may be on the meta device."""
    by_part = {part: 0 for part in parts if part != "unused"}
    for name, parameter in network.named_parameters():
        part = part_of(name, parts)
        by_part[part] = by_part.get(part, 0) + parameter.numel()
    total = sum(by_part.values())
    state = network.state_dict(keep_vars=True)
    unique = {id(tensor): tensor for tensor in state.values()}.values()
    return Parameters(
        total=total,
        by_part=by_part,
        buffers=sum(tensor.numel() for tensor in unique) - total,
        bytes=sum(tensor.numel() * tensor.element_size() for tensor in unique),
    )


def part_of(name: str, parts: Parts) -> str:
    """The part whose module name is the longest prefix of ``name``; ``other`` if there is none."""
    found = [
        (len(prefix), part)
        for part, prefixes in parts.items()
        for prefix in (prefix.rstrip(".") for prefix in prefixes)
        if name == prefix or name.startswith(f"{prefix}.")
    ]
    return max(found)[1] if found else "other"
