"""Our quantizers on the inputs of recorded library runs (`tools/crosscheck.py`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from sqbench.quantization.quantizer import Quantizer
from sqbench.quantization.scalar import ScalarQuantizer, SignQuantizer
from sqbench.quantization.vector import ResidualQuantizer, VectorQuantizer
from sqcodec.quantize import estimators as formulas

Arrays = Mapping[str, Tensor]


def fsq(levels: int) -> Callable[[Arrays], dict[str, Tensor]]:
    """Indices and values of ``z``."""

    def run(given: Arrays) -> dict[str, Tensor]:
        found = ScalarQuantizer(4, levels, "tanh")(given["z"][None])
        return {"index": found.index[0], "q": found.q[0]}

    return run


def signs(spherical: bool) -> Callable[[Arrays], dict[str, Tensor]]:
    """Indices and values of ``z``; the library's most significant bit is its first channel."""

    def run(given: Arrays) -> dict[str, Tensor]:
        width = given["z"].shape[-1]
        found = SignQuantizer(width, spherical)(given["z"][None])
        bits = (found.index[0][:, None] >> torch.arange(width)) & 1
        return {"index": (bits << torch.arange(width).flip(0)).sum(-1), "q": found.q[0]}

    return run


def vq(estimator: str, cosine: bool = False) -> Callable[[Arrays], dict[str, Tensor]]:
    """Index, and gradients of ``sum(gradient * output)``, at ``z`` and for DiVeQ at the codes."""

    def run(given: Arrays) -> dict[str, Tensor]:
        quantizer = _vq(given["codes"], cosine)
        z = given["z"][None].clone().requires_grad_()

        def estimate(z: Tensor, q: Tensor, stage: Quantizer) -> Tensor:
            if estimator == "rotation":
                return formulas.rotation_trick(z, q)
            if estimator == "diveq":
                return formulas.diveq(z, q, torch.zeros_like(z), 0.0)
            return formulas.straight_through(z, q)

        found = quantizer(z, estimate)
        if cosine:
            return {"index": found.index[0]}
        found.value.backward(given["gradient"][None])
        assert z.grad is not None
        out = {"index": found.index[0], "value": found.value[0].detach(), "grad": z.grad[0]}
        if estimator == "diveq":
            assert quantizer.table.grad is not None
            out["codes_grad"] = quantizer.table.grad[0]
        return out

    return run


def commitment(given: Arrays) -> dict[str, Tensor]:
    """The commitment loss of weight 0.25."""
    quantizer = _vq(given["codes"])
    quantizer.codebook, quantizer.commitment = "end-to-end", 0.25
    return {"loss": quantizer(given["z"][None]).loss.detach()}


def average(given: Arrays) -> dict[str, Tensor]:
    """The codebook after one averaged update from counts of one."""
    quantizer = _vq(given["codes"])
    quantizer.codebook = "ema"
    quantizer(given["z"][None], lambda z, q, stage: z)
    quantizer.after_step()
    return {"codes": quantizer.table[0].detach()}


def cascade(given: Arrays) -> dict[str, Tensor]:
    """Indices of three stages, and the sum of their codes."""
    stages = [_vq(codes) for codes in given["codes"]]
    found = ResidualQuantizer(stages)(given["z"][None])
    size = stages[0].size
    index = torch.stack([found.index[0] // size ** (2 - i) % size for i in range(3)], dim=-1)
    return {"index": index, "q": found.q[0].detach()}


def transformed(given: Arrays) -> dict[str, Tensor]:
    """SimVQ: index, value, and loss with commitment 0.25."""
    count, width = given["codes"].shape
    quantizer = VectorQuantizer(1, width, count, codebook="transform", commitment=0.25)
    with torch.no_grad():
        quantizer.table.copy_(given["codes"][None])
        quantizer.transform.copy_(given["transform"][None])
    found = quantizer(given["z"][None])
    return {"index": found.index[0], "q": found.q[0].detach(), "loss": found.loss.detach()}


def _vq(codes: Tensor, cosine: bool = False) -> VectorQuantizer:
    count, width = codes.shape
    quantizer = VectorQuantizer(1, width, count, codebook="end-to-end", cosine=cosine)
    with torch.no_grad():
        quantizer.table.copy_(codes[None])
        quantizer.sums.copy_(codes[None])
    return quantizer


CASES: dict[str, Callable[[Arrays], dict[str, Tensor]]] = {
    **{f"fsq-{levels}": fsq(levels) for levels in (2, 3, 4, 8)},
    "lfq": signs(spherical=False),
    "bsq": signs(spherical=True),
    "vq-ste": vq("ste"),
    "vq-rotation": vq("rotation"),
    "vq-diveq": vq("diveq"),
    "vq-cosine": vq("ste", cosine=True),
    "vq-commitment": commitment,
    "vq-average": average,
    "residual-vq": cascade,
    "simvq": transformed,
}


def deviation(ours: Arrays, theirs: Arrays) -> dict[str, float]:
    """Largest absolute difference of each output; of indices the share that differs."""
    assert set(ours) == set(theirs)
    return {
        name: float((ours[name] != theirs[name]).double().mean())
        if name == "index"
        else float((ours[name] - theirs[name]).abs().max())
        for name in ours
    }
