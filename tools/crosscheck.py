"""Our quantizers against vector-quantize-pytorch 1.31 or newer, on shared inputs.

`make crosscheck` installs the library into a folder of its own, as the conformance tests of the
network need an old one. This prints the deviations and records inputs and the library's outputs
for the default tests (``tests/quantization/library.safetensors``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "tests/quantization/library.safetensors"
NEWEST_TOO_OLD = (1, 31)
LIMIT = 1e-4


def inputs(seed: int = 0) -> dict[str, Tensor]:
    """What every case may use."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return {
        "z": normal(96, 4),
        "gradient": normal(96, 4),
        "codes": normal(16, 4),
        "stages": normal(3, 8, 4) * torch.tensor([1.0, 0.5, 0.25])[:, None, None],
        "transform": normal(4, 4),
    }


def library(given: dict[str, Tensor]) -> dict[str, tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """Case name to (its inputs, the library's outputs)."""
    import vector_quantize_pytorch as vqp

    z, codes = given["z"], given["codes"]
    found: dict[str, tuple[dict[str, Tensor], dict[str, Tensor]]] = {}
    for levels in (2, 3, 4, 8):
        module = vqp.FSQ([levels] * 4, preserve_symmetry=True).eval()
        q, index = module(z[None])
        found[f"fsq-{levels}"] = {"z": z}, {"index": index[0].long(), "q": q[0]}
    for name, spherical in (("lfq", False), ("bsq", True)):
        module = vqp.LFQ(dim=4, codebook_size=16, spherical=spherical).eval()
        q, index, _ = module(z[None])
        found[name] = {"z": z}, {"index": index[0].long(), "q": q[0]}

    def vq(**settings: Any) -> Any:
        module = vqp.VectorQuantize(
            dim=4, codebook_size=16, rotation_trick=settings.pop("rotation_trick", False),
            commitment_weight=settings.pop("commitment_weight", 0.0), **settings,
        )  # fmt: skip
        _set_codes(module, codes)
        return module

    given_vq = {"z": z, "codes": codes, "gradient": given["gradient"]}
    for name, settings in (
        ("vq-ste", {}),
        ("vq-rotation", {"rotation_trick": True}),
        ("vq-diveq", {"directional_reparam": True, "directional_reparam_variance": 0.0,
                      "threshold_ema_dead_code": 1e-9}),
    ):  # fmt: skip
        module = vq(**settings).train()
        x = z[None].clone().requires_grad_()
        value, index, _ = module(x, freeze_codebook=name != "vq-diveq")
        value.backward(given["gradient"][None])
        assert x.grad is not None
        out = {"index": index[0], "value": value[0].detach(), "grad": x.grad[0]}
        if name == "vq-diveq":
            out["codes_grad"] = module._codebook.embed.grad[0]
        found[name] = given_vq, out
    module = vq(use_cosine_sim=True).eval()
    normal = torch.nn.functional.normalize(codes, dim=-1)
    _set_codes(module, normal)
    found["vq-cosine"] = given_vq, {"index": module(z[None])[1][0]}
    module = vq(commitment_weight=0.25).train()
    found["vq-commitment"] = given_vq, {"loss": module(z[None], freeze_codebook=True)[2].detach()}
    module = vq(decay=0.95).train()
    module._codebook.cluster_size.fill_(1.0)
    module(z[None])
    found["vq-average"] = given_vq, {"codes": module._codebook.embed[0].detach()}

    module = vqp.ResidualVQ(dim=4, codebook_size=8, num_quantizers=3, rotation_trick=False).eval()
    for layer, stage in zip(module.layers, given["stages"], strict=True):
        _set_codes(layer, stage)
    q, index, _ = module(z[None])
    found["residual-vq"] = (
        {"z": z, "codes": given["stages"]},
        {"index": index[0], "q": q[0].detach()},
    )

    module = vqp.SimVQ(dim=4, codebook_size=16, rotation_trick=False)
    module.frozen_codebook.copy_(codes)
    with torch.no_grad():
        module.code_transform.weight.copy_(given["transform"].T)
    q, index, loss = module(z[None])
    found["simvq"] = (
        {"z": z, "codes": codes, "transform": given["transform"]},
        {"index": index[0], "q": q[0].detach(), "loss": loss.detach()[None]},
    )
    return found


def _set_codes(module: Any, codes: Tensor) -> None:
    book = module._codebook
    with torch.no_grad():
        book.embed.copy_(codes[None])
        if hasattr(book, "embed_avg"):
            book.embed_avg.copy_(codes[None])


def main() -> int:
    """Compare and record; 1 if anything deviates by more than the limit."""
    installed = version("vector-quantize-pytorch")
    if tuple(map(int, installed.split(".")[:2])) < NEWEST_TOO_OLD:
        print(f"vector-quantize-pytorch {installed} is too old; run `make crosscheck`")
        return 1
    sys.path.insert(0, str(ROOT / "tests"))
    from quantizer_cases import CASES, deviation

    cases: dict[str, Callable[..., dict[str, Tensor]]] = CASES
    found = library(inputs())
    assert set(found) == set(cases)
    record: dict[str, Tensor] = {}
    worst: list[float] = []
    print(f"vector-quantize-pytorch {installed}; differences, of indices the share that differs")
    for name, (given, theirs) in found.items():
        differences = deviation(cases[name](given), theirs)
        worst += differences.values()
        print(f"  {name:14}", "  ".join(f"{k} {v:.1e}" for k, v in differences.items()))
        for side, tensors in (("in", given), ("out", theirs)):
            record |= {f"{name}/{side}/{k}": v.contiguous().clone() for k, v in tensors.items()}
    save_file(record, FIXTURES, metadata={"vector-quantize-pytorch": installed})
    print(f"largest {max(worst):.1e}, limit {LIMIT:g}; recorded in {FIXTURES.relative_to(ROOT)}")
    return 0 if all(value <= LIMIT for value in worst) else 1  # so that NaN fails


if __name__ == "__main__":
    sys.exit(main())
