"""What a codec costs: multiply-adds and parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from sqbench_codecs import Codec

SECONDS = 10


def count(codec: Codec) -> dict[str, float | None]:
    """Multiply-adds and parameters of a codec.

    The convention: torch's own operation counter (convolutions, matrix products and attention; not
    elementwise operations or norms) on one forward of `SECONDS` seconds of audio, padding that the
    codec adds included, halved (it counts a multiply and an add as two).

    Returns:
        ``macs_g`` in 1e9 multiply-adds and ``params_m`` in 1e6; both ``None`` if not neural.
    """
    blueprint = codec.blueprint()
    if blueprint is None:
        return {"macs_g": None, "params_m": None}
    assert codec.spec.sample_rate is not None, "a network runs at one rate"
    network = blueprint.build()
    params = sum(p.numel() for p in network.parameters()) / 1e6
    return {
        "macs_g": _macs(network, codec.spec.sample_rate) / 1e9,
        "params_m": params,
    }


def _macs(network: nn.Module, sample_rate: int) -> float:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    audio = torch.zeros(1, SECONDS * sample_rate, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(audio)
    return float(counter.get_total_flops()) / 2
