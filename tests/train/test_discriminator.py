"""The discriminator, against its published sizes and slow versions of its two transforms."""

from __future__ import annotations

from itertools import pairwise
from math import ceil

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sqcodec.errors import InputError
from sqcodec.train.discriminator import PERIODS, WINDOWS, Discriminator
from sqcodec.train.discriminator.period import PeriodDiscriminator
from sqcodec.train.discriminator.resolution import ResolutionDiscriminator
from sqcodec.train.losses.adversarial import discriminator_loss, generator_loss
from sqcodec.train.recipes.sections import Losses


@pytest.fixture(scope="module")
def published() -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(16000)


@pytest.fixture
def small() -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(16000, periods=(2, 3), windows=(62, 126), width=1 / 16)


def _conv(inputs: int, outputs: int, taps: int) -> int:
    """Parameters of a weight-normalised convolution: direction, magnitude, bias."""
    return inputs * outputs * taps + 2 * outputs


def test_parameter_count_is_the_published_one(published: Discriminator) -> None:
    period = (
        _conv(1, 32, 5) + _conv(32, 128, 5) + _conv(128, 512, 5) + _conv(512, 1024, 5)
        + _conv(1024, 1024, 5) + _conv(1024, 1, 3)
    )  # fmt: skip
    band = _conv(2, 32, 27) + 3 * _conv(32, 32, 27) + _conv(32, 32, 9)
    resolution = 5 * band + _conv(32, 1, 9)
    assert (period, resolution) == (8_221_154, 471_330)
    total = sum(p.numel() for p in published.parameters())
    assert total == 5 * period + 4 * resolution == 42_991_090


def test_outputs_have_the_published_counts_and_shapes(published: Discriminator) -> None:
    length = 3001
    with torch.no_grad():
        outputs = published(torch.randn(1, length))
    assert [len(layers) for layers in outputs] == [6] * 5 + [5 * 5 + 1] * 4
    for period, layers in zip(PERIODS, outputs[:5], strict=True):
        rows = length // period + 1
        expected = []
        for channels, stride in ((32, 3), (128, 3), (512, 3), (1024, 3), (1024, 1), (1, 1)):
            rows = ceil(rows / stride)
            expected.append((1, channels, rows, period))
        assert [tuple(x.shape) for x in layers] == expected
    for window, layers in zip(WINDOWS, outputs[5:], strict=True):
        bins, frames = window // 2 + 1, ceil(length / (window // 4))
        edges = [int(share * bins) for share in (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)]
        expected, together = [], 0
        for low, high in pairwise(edges):
            width = high - low
            for stride in (1, 2, 2, 2, 1):
                width = ceil(width / stride)
                expected.append((1, 32, frames, width))
            together += width
        expected.append((1, 1, frames, together))
        assert [tuple(x.shape) for x in layers] == expected


def _effective(layer: torch.nn.Module) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight and bias of a convolution from its direction and magnitude, by hand."""
    state = {key: value.double().numpy() for key, value in layer.state_dict().items()}
    v, g = state["parametrizations.weight.original1"], state["parametrizations.weight.original0"]
    norm = np.sqrt((v**2).sum(axis=(1, 2, 3), keepdims=True))
    return g * v / norm, state["bias"]


@pytest.mark.parametrize("length", [60, 61], ids=["whole periods", "a rest"])
def test_period_part_equals_a_loop_over_columns(length: int) -> None:
    torch.manual_seed(1)
    part, period = PeriodDiscriminator(3, width=1 / 256), 3
    audio = torch.randn(1, length)
    with torch.no_grad():
        outputs = part(audio)
    missing = period - length % period
    padded = np.pad(audio[0].double().numpy(), (0, missing), mode="reflect")
    layers = [*part.convs, part.conv_post]
    for column in range(period):
        x = padded[column::period][None]
        for i, (layer, output) in enumerate(zip(layers, outputs, strict=True)):
            weight, bias = _effective(layer)
            taps, stride = weight.shape[2], 3 if i < 4 else 1
            x = np.pad(x, ((0, 0), (taps // 2, taps // 2)))
            y = np.stack(
                [
                    (weight[..., 0] * x[None, :, at : at + taps]).sum(axis=(1, 2)) + bias
                    for at in range(0, x.shape[1] - taps + 1, stride)
                ],
                axis=1,
            )
            x = y if i == 5 else np.where(y > 0, y, 0.1 * y)
            np.testing.assert_allclose(output[0, :, :, column].numpy(), x, atol=1e-5)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("length", [2296, 3001, 4592], ids=["minimum", "odd", "even"])
def test_spectrum_equals_the_padded_and_trimmed_transform(window: int, length: int) -> None:
    """Pad to a whole number of hops, pad by (window - hop)/2, transform centred, drop 2 + 2."""
    rng = np.random.default_rng(0)
    audio = rng.standard_normal(length)
    hop = window // 4
    pad, rest = (window - hop) // 2, ceil(length / hop) * hop - length
    padded = np.pad(audio, (pad, pad + rest), mode="reflect")
    padded = np.pad(padded, window // 2, mode="reflect")
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    frames = [
        padded[at : at + window] * hann for at in range(0, len(padded) - window + 1, hop)
    ][2:-2]  # fmt: skip
    expected = np.fft.rfft(frames, axis=1)
    part = ResolutionDiscriminator(window, width=1 / 32)
    found = part.spectrum(torch.tensor(audio[None], dtype=torch.float32))[0].numpy()
    assert found.shape == (2, ceil(length / hop), window // 2 + 1)
    np.testing.assert_allclose(found[0] + 1j * found[1], expected, atol=2e-4)


def test_resolution_part_judges_each_band_by_itself(small: Discriminator) -> None:
    part = small.parts[2]
    assert isinstance(part, ResolutionDiscriminator)
    assert part.bands == [(0, 3), (3, 8), (8, 16), (16, 24), (24, 32)]
    audio = torch.randn(1, 200)
    with torch.no_grad():
        features = part(audio)
        low, high = part.bands[2]
        x = part.spectrum(audio)[..., low:high]
        convs = part.band_convs[2]
        assert isinstance(convs, torch.nn.ModuleList)
        for layer, feature in zip(convs, features[10:15], strict=True):
            x = torch.nn.functional.leaky_relu(layer(x), 0.1)
            torch.testing.assert_close(feature, x)
        logits = part.conv_post(torch.cat(features[4:25:5], dim=-1))
    torch.testing.assert_close(features[-1], logits)


def test_level_and_offset_do_not_matter(small: Discriminator) -> None:
    audio = torch.randn(1, 400, dtype=torch.float64)
    with torch.no_grad():
        plain, moved = (small(x.float()) for x in (audio, 0.01 * audio + 0.3))
    for a, b in zip(plain, moved, strict=True):
        torch.testing.assert_close(a[-1], b[-1], rtol=1e-3, atol=1e-4)


def test_items_of_a_batch_do_not_see_each_other(small: Discriminator) -> None:
    audio = torch.randn(3, 400) * torch.tensor([[1.0], [0.1], [0.01]])
    with torch.no_grad():
        batch, single = small(audio), small(audio[1:2])
    for a, b in zip(batch, single, strict=True):
        for x, y in zip(a, b, strict=True):
            torch.testing.assert_close(x[1:2], y, rtol=1e-4, atol=1e-5)


def test_frozen_it_still_passes_the_gradient_on(small: Discriminator) -> None:
    small.requires_grad_(False)
    audio = torch.randn(2, 300)
    estimate = (audio + 0.1 * torch.randn(2, 300)).requires_grad_()
    with torch.no_grad():
        real = small(audio)
    adversarial, matching = generator_loss(small(estimate), real)
    (adversarial + Losses().feature * matching).backward()  # type: ignore[no-untyped-call]
    assert estimate.grad is not None
    assert bool(torch.isfinite(estimate.grad).all())
    assert bool((estimate.grad.abs().sum(dim=1) > 0).all())
    assert all(p.grad is None for p in small.parameters())


def test_its_step_reaches_every_parameter_and_tells_two_signals_apart(
    small: Discriminator,
) -> None:
    real = torch.sin(torch.arange(400) * 0.3)[None]
    fake = torch.randn(1, 400)
    optimizer = torch.optim.AdamW(small.parameters(), lr=1e-2)
    losses = []
    for _ in range(14):
        optimizer.zero_grad()
        loss = discriminator_loss(small(fake), small(real))
        loss.backward()  # type: ignore[no-untyped-call]
        assert all(p.grad is not None for p in small.parameters())
        optimizer.step()
        losses.append(loss.item())
    # A constant logit of 1/2 scores 1/2 for each of the four parts.
    assert losses[0] > 2.0 > 1.5 > losses[-1]


def test_silence_gives_finite_values_and_gradients(small: Discriminator) -> None:
    estimate = torch.zeros(1, 300, requires_grad=True)
    fake, real = small(estimate), small(torch.zeros(1, 300))
    adversarial, matching = generator_loss(fake, real)
    loss = adversarial + matching + discriminator_loss(fake, real)
    loss.backward()  # type: ignore[no-untyped-call]
    assert bool(torch.isfinite(loss))
    assert estimate.grad is not None
    assert bool(torch.isfinite(estimate.grad).all())
    assert all(bool(torch.isfinite(p.grad).all()) for p in small.parameters() if p.grad is not None)


def test_spectra_stay_in_float32_under_autocast(small: Discriminator) -> None:
    audio = torch.randn(1, 300)
    part = small.parts[2]
    assert isinstance(part, ResolutionDiscriminator)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(
            part.spectrum(audio.bfloat16()), part.spectrum(audio.bfloat16().float())
        )
        spectrum, outputs = part.spectrum(audio), small(audio)
    assert spectrum.dtype == torch.float32
    assert outputs[0][0].dtype == torch.bfloat16


def test_shortest_audio(small: Discriminator, published: Discriminator) -> None:
    assert published.minimum_samples == 2296
    assert small.minimum_samples == 126
    assert Discriminator(16000, periods=(11,), windows=(), width=1 / 64).minimum_samples == 12
    with torch.no_grad():
        assert len(small(torch.randn(1, 126))) == 4
    with pytest.raises(InputError, match=r"126 samples at least \(0\.008 s at 16000 Hz\).*125"):
        small(torch.randn(1, 125))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"periods": (), "windows": ()}, "a period or a window at least"),
        ({"periods": (0,)}, "periods from 1 up"),
        ({"windows": (16,)}, "window of 18 samples"),
        ({"width": 0.0}, "above 0"),
    ],
    ids=["nothing", "no period", "window too short", "no width"],
)
def test_sizes_that_cannot_be(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Discriminator(16000, **options)  # type: ignore[arg-type]
