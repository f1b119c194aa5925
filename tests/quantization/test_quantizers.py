"""Quantizers: codes and values belong together, and each does what its kind does."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sqbench.quantization.build import make_quantizer
from sqbench.quantization.cell import Cell
from sqbench.quantization.draws import Draws
from sqbench.quantization.quantizer import Quantizer
from sqbench.quantization.scalar import ScalarQuantizer, SignQuantizer
from sqbench.quantization.vector import ResidualQuantizer, VectorQuantizer

SEEDS = [0, 1]


def _z(frames: int = 400, width: int = 4) -> Tensor:
    return Draws(SEEDS, "diagnostics").normal(frames, width)


def _identity(z: Tensor, q: Tensor, stage: Quantizer) -> Tensor:
    return z


@pytest.mark.parametrize("levels", [2, 3, 4, 7, 8])
@pytest.mark.parametrize("bound", ["tanh", "sigmoid", "clip"])
def test_codes_and_values_of_levels(levels: int, bound: str) -> None:
    quantizer = ScalarQuantizer(4, levels, bound)
    assert quantizer.size == levels**4
    found = quantizer(2 * _z())
    assert torch.allclose(quantizer.values(found.index), found.q, atol=1e-6)
    assert 0 <= int(found.index.min()) <= int(found.index.max()) < quantizer.size
    every = torch.arange(quantizer.size)
    digits = ((quantizer.values(every) + 1) * (levels - 1) / 2).round().long()
    assert torch.equal(quantizer.code(digits), every)
    # The nearest level, which is at most half a step away.
    assert float((found.q - found.z).abs().max()) <= quantizer.step / 2 + 1e-6


def test_ifsq_fills_its_levels_evenly() -> None:
    z = Draws([0], "diagnostics").normal(50_000, 1)
    shares = {}
    for bound in ("tanh", "sigmoid"):
        index = ScalarQuantizer(1, 8, bound)(z).index
        shares[bound] = torch.bincount(index[0], minlength=8)[1:-1].double()
    spread = {name: float(s.std() / s.mean()) for name, s in shares.items()}
    assert spread["sigmoid"] < 0.3 * spread["tanh"]


def test_residual_levels_refine() -> None:
    z = _z()
    coarse, fine = (ScalarQuantizer(4, 3, "tanh", stages=n)(z) for n in (1, 2))
    assert float((fine.q - fine.z).square().mean()) < 0.3 * float(
        (coarse.q - coarse.z).square().mean()
    )
    quantizer = ScalarQuantizer(4, 3, "tanh", stages=2)
    assert quantizer.size == 3**8
    assert int(fine.index.max()) < quantizer.size


def test_dither_moves_values_and_not_the_size_of_errors() -> None:
    quantizer = ScalarQuantizer(4, 9, "tanh")
    z = 0.5 * _z()
    dither = Draws(SEEDS, "estimator").uniform(400, 4) - 0.5
    found = quantizer(z, None, dither)
    assert float((found.q - found.z).abs().max()) <= quantizer.step / 2 + 1e-6
    assert not torch.equal(found.q, quantizer(z).q)


@pytest.mark.parametrize("spherical", [False, True])
def test_codes_and_values_of_signs(spherical: bool) -> None:
    quantizer = SignQuantizer(6, spherical)
    found = quantizer(_z(width=6))
    assert quantizer.size == 64
    assert torch.equal(quantizer.values(found.index), found.q)
    length = 1.0 if spherical else 6**0.5
    assert torch.allclose(found.q.norm(dim=-1), torch.tensor(length))
    assert torch.isfinite(found.loss).all()


def test_vq_chooses_the_nearest_code() -> None:
    quantizer = _vq(32)
    z = _z()
    nearest = torch.cdist(z, quantizer.codes().detach()).argmin(-1)
    found = quantizer(z)
    assert (nearest == found.index).double().mean() > 0.999
    assert torch.equal(found.q, quantizer.codes()[torch.arange(2)[:, None], found.index])


def test_commitment_pulls_latents_and_the_codebook_loss_codes() -> None:
    z = _z().requires_grad_()
    quantizer = _vq(16, commitment=0.25)
    quantizer(z).loss.sum().backward()
    found = quantizer(z)
    assert z.grad is not None
    expected = 0.25 * 2 * (z - found.q).detach() / (z.shape[1] * z.shape[2])
    assert torch.allclose(z.grad, expected, atol=1e-7)
    assert quantizer.table.grad is not None
    assert bool(quantizer.table.grad.abs().sum() > 0)


def test_averaged_codes_go_to_the_means_of_their_frames() -> None:
    quantizer = _vq(2, codebook="ema")
    centres = torch.tensor([[-3.0] * 4, [3.0] * 4])
    for _ in range(300):
        quantizer(centres.repeat(2, 50, 1) + 0.01, _identity)
        quantizer.after_step()
    codes = quantizer.codes()[0]
    assert torch.allclose(codes[codes[:, 0].argsort()], centres + 0.01, atol=1e-3)


def test_unused_codes_restart_from_latents() -> None:
    quantizer = _vq(8)
    with torch.no_grad():
        quantizer.table[:, 4:] += 1000.0
    z = _z()
    quantizer(z, _identity)
    quantizer.after_step()
    kept = quantizer.codes()[:, :4].clone()
    used = quantizer.used[:, :4] > 0
    quantizer.restart(Draws(SEEDS, "codebook"))
    assert float(quantizer.codes().detach().abs().max()) < 10
    assert torch.equal(quantizer.codes()[:, :4][used], kept[used])


def test_a_cascade_refines_and_its_codes_join() -> None:
    stages = [VectorQuantizer(2, 4, 8, codebook="loss") for _ in range(3)]
    quantizer = ResidualQuantizer(stages)
    z = _z()
    quantizer.initialise(z, Draws(SEEDS, "codebook"))
    assert quantizer.size == 512
    found = quantizer(z)
    errors = [
        float((z - stages[0](z).q).detach().square().mean()),
        float((z - found.q).detach().square().mean()),
    ]
    assert errors[1] < 0.7 * errors[0]
    assert torch.equal(found.index // 64, stages[0](z).index)


def test_dropout_keeps_a_prefix_while_training_only() -> None:
    stages = [VectorQuantizer(2, 4, 8, codebook="loss") for _ in range(2)]
    quantizer = ResidualQuantizer(stages, Draws(SEEDS, "networks"))
    z = _z()
    quantizer.initialise(z, Draws(SEEDS, "codebook"))
    first, whole = stages[0](z).q, quantizer(z).q
    trained = quantizer(z, _identity).q
    short = (trained == first).all(-1)
    assert 0.3 < float(short.double().mean()) < 0.7
    assert torch.allclose(trained[~short], whole[~short])


@pytest.mark.parametrize(
    ("quantizer", "content"),
    [
        ("vq", {"bits": 4}), ("vq-ema", {"bits": 4}), ("simvq", {"bits": 4}),
        ("rvq", {"bits": 4, "stages": 2}), ("rvq-dropout", {"bits": 4, "stages": 2}),
        ("dac", {"bits": 4, "stages": 2}), ("lfq", {"bits": 4}), ("bsq", {"bits": 4}),
        ("sq", {"levels": 3}), ("fsq", {"levels": 3}), ("ifsq", {"levels": 3}),
        ("rfsq", {"levels": 2, "stages": 2}),
    ],
)  # fmt: skip
def test_a_seed_is_quantized_alike_whatever_is_beside_it(
    quantizer: str, content: dict[str, int]
) -> None:
    cell = Cell(source="gaussian", quantizer=quantizer, estimator="ste", **content)  # type: ignore[arg-type]
    found = []
    for seeds in ([4, 9], [9]):
        made = make_quantizer([cell], len(seeds), Draws(seeds, "networks"))
        z = Draws(seeds, "diagnostics").normal(300, cell.latent)
        made.initialise(z, Draws(seeds, "codebook"))
        found.append(made(z))
    assert torch.equal(found[0].index[1], found[1].index[0])
    assert torch.allclose(found[0].q[1], found[1].q[0], atol=1e-5)


def _vq(size: int, codebook: str = "loss", commitment: float = 0.0) -> VectorQuantizer:
    made = VectorQuantizer(2, 4, size, codebook=codebook, commitment=commitment)  # type: ignore[arg-type]
    made.initialise(_z(), Draws(SEEDS, "codebook"))
    return made
