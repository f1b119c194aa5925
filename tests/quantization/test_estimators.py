"""Estimators: what goes forward, what comes back, and how much noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sqbench.quantization.build import make_quantizer
from sqbench.quantization.cell import Cell
from sqbench.quantization.draws import Draws
from sqbench.quantization.estimators import ESTIMATORS, estimate
from sqcodec.quantize import estimators as formulas

SEEDS = 2


def _latents(frames: int = 64, width: int = 4) -> Tensor:
    z = Draws([0, 1], "diagnostics").normal(frames, width).double()
    return (3 * z + torch.arange(width)).requires_grad_()


def _hard(z: Tensor) -> Tensor:
    return (z / 2).round().detach() * 2


@pytest.mark.parametrize("name", ["ste", "mste", "mste-global", "rotation"])
def test_hard_values_go_forward(name: str) -> None:
    z = _latents()
    q = _hard(z) + 0.5  # away from zero, which has no direction
    value = estimate(name, Draws([0, 1], "estimator"), (1.0, 1.0), 0.5)(z, q, None)  # type: ignore[arg-type]
    assert (value - q).abs().max() <= 1e-5 * z.std()


@pytest.mark.parametrize(("name", "dims"), [("mste", (1,)), ("mste-global", (1, 2)), ("ste", (1,))])
def test_mste_has_the_gradient_of_scaling_the_quantized_values(
    name: str, dims: tuple[int, ...]
) -> None:
    """Along the scale of the latents the gradient is the quantized output's, unlike STE's."""
    z = _latents()
    q = _hard(z)
    gradient = Draws([5, 6], "diagnostics").normal(*z.shape[1:]).double()
    value = estimate(name, Draws([0, 1], "estimator"), (1.0, 1.0), 0.5)(z, q, None)  # type: ignore[arg-type]
    torch.autograd.backward(value, gradient)
    assert z.grad is not None
    mean = z.detach().mean(dims, keepdim=True)
    along = ((z.detach() - mean) * z.grad).sum(dims)
    quantized = (gradient * (q - mean)).sum(dims)
    relative = (along - quantized).abs() / quantized.abs()
    if name == "ste":
        assert relative.min() > 1e-3
    else:
        assert relative.max() < 1e-4


def test_mste_of_equal_values_has_a_gradient() -> None:
    z = torch.full((1, 8, 2), 0.3, requires_grad=True)
    value = formulas.modified_straight_through(z, torch.zeros_like(z), (1,))
    assert torch.equal(value, torch.zeros_like(value))
    torch.autograd.backward(value.sum())
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()


def test_uniform_noise_has_a_twelfth_of_a_squared_step() -> None:
    z = torch.zeros(1, 200_000, 1)
    noisy = formulas.uniform_noise(z, 0.5, torch.rand(z.shape, generator=_generator()))
    assert float(noisy.var()) == pytest.approx(0.25 / 12, rel=0.02)
    assert float(noisy.abs().max()) <= 0.25


@pytest.mark.parametrize("name", ["nsvq", "diveq"])
def test_length_of_the_error_is_kept(name: str) -> None:
    z = _latents()
    q = _hard(z)
    value = estimate(name, Draws([0, 1], "estimator"), (1.0, 1.0), 0.5)(z, q, None)  # type: ignore[arg-type]
    expected = (q - z).norm(dim=-1)
    assert torch.allclose((value - z).norm(dim=-1), expected, rtol=1e-4)


def test_rotation_keeps_angles_and_scales() -> None:
    """The gradient turns and scales with what turned and scaled the latent."""
    z, g = _latents(), Draws([5, 6], "diagnostics").normal(64, 4).double()
    q = _hard(z) + 0.5
    torch.autograd.backward(formulas.rotation_trick(z, q), g)
    assert z.grad is not None
    cosine = torch.nn.functional.cosine_similarity
    assert torch.allclose(cosine(z.grad, z.detach(), -1), cosine(g, q, -1), atol=1e-9)
    scale = (q.norm(dim=-1) / z.detach().norm(dim=-1)) * g.norm(dim=-1)
    assert torch.allclose(z.grad.norm(dim=-1), scale)


def test_gaussian_noise_has_the_power_of_the_error() -> None:
    z = torch.randn(1, 50_000, 3, generator=_generator())
    q = _hard(z)
    normal = torch.randn(z.shape, generator=_generator(1))
    noise = formulas.gaussian_noise(z, q, normal, (1, 2)) - z
    assert float(noise.square().mean()) == pytest.approx(float((q - z).square().mean()), rel=0.02)


def test_shares_of_the_mixtures() -> None:
    z = torch.full((1, 40_000, 1), 0.3)
    q = torch.ones_like(z)
    uniform = torch.rand(z.shape, generator=_generator())
    choice = torch.rand(z.shape, generator=_generator(1))
    mixed = formulas.noise_mixture(z, q, 0.1, uniform, choice)
    assert float((mixed == q).double().mean()) == pytest.approx(0.25, abs=0.01)
    assert float((mixed == z).double().mean()) == pytest.approx(0.25, abs=0.01)
    either = formulas.noise_or_straight_through(z, q, 0.1, uniform, choice)
    assert float((either == q).double().mean()) == pytest.approx(0.5, abs=0.01)


def test_soft_levels_anneal_to_hard_ones_and_pass_over_gaps() -> None:
    levels = torch.tensor([[-1.0, 0.0, 1.0], [-1.0, 1.0, float("nan")]])
    z = torch.tensor([[0.3, 0.3]])
    assert formulas.soft_levels(z, levels, 500.0).tolist() == [pytest.approx([0.0, 1.0])]
    assert torch.isfinite(formulas.soft_levels(z, levels, 0.1)).all()


def test_normal_of_uniform() -> None:
    uniform = torch.rand(200_000, 2, generator=_generator())
    normal = formulas.normal_of(uniform[:, 0], uniform[:, 1])
    assert float(normal.mean()) == pytest.approx(0, abs=0.01)
    assert float(normal.std()) == pytest.approx(1, abs=0.01)
    assert torch.isfinite(formulas.normal_of(torch.tensor([0.0]), torch.tensor([0.5]))).all()


def test_annealing_is_geometric() -> None:
    span = [formulas.annealed((0.5, 50.0), p) for p in (-1, 0, 0.5, 1, 2)]
    assert span == pytest.approx([0.5, 0.5, 5, 50, 50])


@pytest.mark.parametrize(
    ("name", "kind"),
    [(n, kind) for n, i in ESTIMATORS.items() for kind in ("scalar", "vector") if getattr(i, kind)],
)
def test_every_estimator_gives_finite_gradients(name: str, kind: str) -> None:
    content: dict[str, Any] = {"quantizer": "fsq", "levels": 3}
    if kind == "vector":
        content = {"quantizer": "vq", "bits": 4}
    cell = Cell(source="gaussian", estimator=name, **content)
    quantizer = make_quantizer([cell], SEEDS, Draws([0, 1], "networks"))
    z = _latents().detach().float().requires_grad_()
    quantizer.initialise(z.detach(), Draws([0, 1], "codebook"))
    function = estimate(name, Draws([0, 1], "estimator"), cell.annealing, 0.5)
    found = quantizer(z, function)
    torch.autograd.backward(found.value.square().sum())
    assert found.value.shape == z.shape
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()
    assert np.count_nonzero(z.grad.numpy()) > 0


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
