"""The training losses, against slow versions of their definitions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from sqcodec.train.losses.adversarial import Outputs, discriminator_loss, generator_loss
from sqcodec.train.losses.clamp import clamp_term
from sqcodec.train.losses.mel import MultiScaleMel
from sqcodec.train.losses.snr import snr_db
from sqcodec.train.losses.stft import SCALES, MultiScaleSTFT
from sqcodec.train.recipes.sections import Losses


def test_multi_scale_stft_equals_its_definition() -> None:
    rng = np.random.default_rng(0)
    reference, estimate = (rng.standard_normal(4096) * 0.1 for _ in range(2))
    total = 0.0
    for size in SCALES:
        hop = size // 4
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
        magnitudes = []
        for x in (reference, estimate):
            padded = np.pad(x, size // 2, mode="reflect")
            frames = [padded[i : i + size] * window for i in range(0, len(padded) - size + 1, hop)]
            magnitudes.append(np.abs(np.fft.rfft(frames, axis=1)))
        x, g = magnitudes
        logs = [np.log10(np.maximum(m, 1e-4) ** 2) for m in (x, g)]
        total += np.abs(g - x).mean() + np.abs(logs[1] - logs[0]).mean()
    loss = MultiScaleSTFT()(
        torch.tensor(estimate[None], dtype=torch.float32),
        torch.tensor(reference[None], dtype=torch.float32),
    )
    assert float(loss) == pytest.approx(total / len(SCALES), rel=1e-4)


def test_multi_scale_mel_equals_its_definition() -> None:
    rng = np.random.default_rng(0)
    reference, estimate = (rng.standard_normal(4096) * 0.1 for _ in range(2))
    scales = ((64, 6), (256, 24))
    total = 0.0
    for size, bands in scales:
        top = 2595 * np.log10(1 + 8000 / 700)
        edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
        bins = np.linspace(0, 8000, size // 2 + 1)
        triangles = [
            np.maximum(0, np.minimum((bins - low) / (peak - low), (high - bins) / (high - peak)))
            for low, peak, high in zip(edges, edges[1:], edges[2:], strict=False)
        ]
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
        logs = []
        for x in (reference, estimate):
            padded = np.pad(x, size // 2, mode="reflect")
            starts = range(0, len(padded) - size + 1, size // 4)
            frames = np.stack([padded[i : i + size] * window for i in starts])
            magnitude = np.abs(np.fft.rfft(frames, axis=1))
            logs.append(np.log10(np.maximum(magnitude @ np.stack(triangles).T, 1e-4)))
        total += np.abs(logs[0] - logs[1]).mean()
    loss = MultiScaleMel(16000, scales)(
        torch.tensor(estimate[None], dtype=torch.float32),
        torch.tensor(reference[None], dtype=torch.float32),
    )
    assert float(loss) == pytest.approx(total / len(scales), rel=1e-4)


def test_mel_gradient_is_finite_on_silence() -> None:
    estimate = torch.zeros(1, 4096, requires_grad=True)
    MultiScaleMel(16000)(estimate, torch.zeros(1, 4096)).backward()
    assert estimate.grad is not None
    assert torch.isfinite(estimate.grad).all()


def test_stft_gradient_is_finite_on_silence() -> None:
    estimate = torch.zeros(1, 4096, requires_grad=True)
    MultiScaleSTFT()(estimate, torch.zeros(1, 4096)).backward()
    assert estimate.grad is not None
    assert torch.isfinite(estimate.grad).all()


def test_snr() -> None:
    x = torch.randn(2, 1000)
    assert snr_db(x * 0.9, x).tolist() == pytest.approx([20.0, 20.0], abs=1e-3)


def test_stft_gradient_equals_that_of_a_batch_of_both() -> None:
    """The two waveforms go apart through the transform; value and gradient do not show it."""
    torch.manual_seed(0)
    reference = torch.randn(2, 3000) * 0.1
    apart, together = ((reference * 0.8 + 0.01).detach().clone().requires_grad_() for _ in range(2))
    loss = MultiScaleSTFT()(apart, reference)
    loss.backward()
    total = torch.zeros(())
    for size in SCALES:
        spectrum = torch.stft(
            torch.cat([together, reference]), size, size // 4, window=torch.hann_window(size),
            return_complex=True,
        )  # fmt: skip
        g, x = spectrum.abs().chunk(2)
        floored = [m.clamp_min(1e-4).square().log10() for m in (g, x)]
        total = total + (g - x).abs().mean() + (floored[0] - floored[1]).abs().mean()
    (total / len(SCALES)).backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(total.item() / len(SCALES), rel=1e-5)
    assert apart.grad is not None
    torch.testing.assert_close(apart.grad, together.grad, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("maximum", [5.0, 10.0])
@pytest.mark.parametrize("x", [0.0, 1e-30, 0.7, 2.0, 3.0, 40.0])
def test_clamp_is_equation_2(x: float, maximum: float) -> None:
    """With ``L = x^2``: value ``min(L, M)``, gradient ``2 x min(1, M/|L|)``."""
    point = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    term = clamp_term(point.square(), maximum)
    term.backward()  # type: ignore[no-untyped-call]
    assert term.item() == pytest.approx(min(x * x, maximum), rel=1e-12)
    assert point.grad is not None
    scale = min(1.0, maximum / (x * x)) if x else 1.0
    assert float(point.grad) == pytest.approx(2 * x * scale, rel=1e-12)


def test_clamp_scale_is_a_constant_of_the_numerical_gradient() -> None:
    """Of ``s L`` with ``s`` held at its value, the difference quotient is the gradient."""
    x = torch.tensor([1.5, -2.0, 3.0], dtype=torch.float64, requires_grad=True)

    def loss(v: Tensor) -> Tensor:
        return v.pow(4).sum()

    clamp_term(loss(x), 5.0).backward()  # type: ignore[no-untyped-call]
    held = 5.0 / float(loss(x.detach()))
    for i in range(3):
        step = torch.zeros(3, dtype=torch.float64)
        step[i] = 1e-5
        with torch.no_grad():
            quotient = held * float(loss(x + step) - loss(x - step)) / 2e-5
        assert x.grad is not None
        assert float(x.grad[i]) == pytest.approx(quotient, rel=1e-6)


def test_clamp_decides_on_the_whole_batch() -> None:
    """Two halves, scaled by the mean of both, add up to the whole batch's gradient."""
    x = torch.tensor([1.0, 4.0], dtype=torch.float64, requires_grad=True)
    (whole,) = torch.autograd.grad(clamp_term(x.square().mean(), 5.0), x)
    mean = x.detach().square().mean()
    halves = [clamp_term(x[i].square(), 5.0, reference=mean) for i in range(2)]
    (divided,) = torch.autograd.grad(torch.stack(halves).mean(), x)
    torch.testing.assert_close(divided, whole)
    (apart,) = torch.autograd.grad((clamp_term(x[0] ** 2, 5.0) + clamp_term(x[1] ** 2, 5.0)) / 2, x)
    assert not torch.allclose(apart, whole)


@pytest.fixture
def outputs() -> Callable[[int], Outputs]:
    """Makes outputs of two sub-discriminators with three and two layers."""

    def make(seed: int) -> Outputs:
        generator = torch.Generator().manual_seed(seed)
        shapes: list[list[tuple[int, ...]]] = [
            [(2, 4, 5), (2, 3, 5), (2, 1, 4)],
            [(2, 2, 3, 7), (2, 1, 3, 6)],
        ]
        return [
            [torch.randn(shape, generator=generator).requires_grad_() for shape in layers]
            for layers in shapes
        ]

    return make


def _mean(values: Tensor, of: Callable[[float], float]) -> float:
    flat = values.flatten().tolist()
    return sum(of(v) for v in flat) / len(flat)


def test_adversarial_losses_equal_their_definitions(outputs: Callable[[int], Outputs]) -> None:
    fake, real = outputs(0), outputs(1)
    for_discriminator = for_generator = features = 0.0
    for f, r in zip(fake, real, strict=True):
        for_discriminator += _mean(f[-1], lambda v: v**2) + _mean(r[-1], lambda v: (1 - v) ** 2)
        for_generator += _mean(f[-1], lambda v: (1 - v) ** 2)
        for a, b in zip(f[:-1], r[:-1], strict=True):
            features += _mean(a - b, abs)
    adversarial, matching = generator_loss(fake, real)
    assert discriminator_loss(fake, real).item() == pytest.approx(for_discriminator, rel=1e-5)
    assert adversarial.item() == pytest.approx(for_generator, rel=1e-5)
    assert matching.item() == pytest.approx(features, rel=1e-5)


def test_generator_gradient_flows_into_the_fake_side_alone(
    outputs: Callable[[int], Outputs],
) -> None:
    fake, real = outputs(0), outputs(1)
    adversarial, matching = generator_loss(fake, real)
    (adversarial + Losses().feature * matching).backward()  # type: ignore[no-untyped-call]
    assert all(x.grad is not None and bool(x.grad.any()) for layers in fake for x in layers)
    assert all(x.grad is None for layers in real for x in layers)


def test_half_precision_outputs_are_compared_in_float32(
    outputs: Callable[[int], Outputs],
) -> None:
    fake, real = ([[x.bfloat16() for x in layers] for layers in outputs(i)] for i in (0, 1))
    for loss in (discriminator_loss(fake, real), *generator_loss(fake, real)):
        assert loss.dtype == torch.float32
