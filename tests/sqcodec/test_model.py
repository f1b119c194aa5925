"""Properties of the trainable network."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sqcodec.config import list_configs, load_config
from sqcodec.errors import InputError
from sqcodec.model import SQCodecModel
from sqcodec.model import conv as conv_module
from sqcodec.model.conv import EPS, GRN, ChannelNorm, Snake, _Snake, convolve, upsample
from sqcodec.model.fsq import FSQ, QuantizerMode
from sqcodec.model.tconv import TConv, TPooling
from sqcodec.model.transformer import HEAD_DIM, HEADS, LocalTransformer, PositionBias, _attend

SMALL = replace(load_config("6kbps"), window=10)


@pytest.fixture(scope="module")
def model() -> SQCodecModel:
    torch.manual_seed(0)
    return SQCodecModel(SMALL)


def test_one_training_step_reaches_every_parameter(model: SQCodecModel) -> None:
    model.train().zero_grad()
    audio = torch.randn(2, 2 * SMALL.pad_multiple)
    model(audio).sub(audio).abs().mean().backward()
    dead = [k for k, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # Neutral at the start: a shift before an InstanceNorm, and the branches' biases with it.
    assert all(".blocks." in k and k.endswith(".1.bias") for k in dead), dead


def test_output_length_is_the_input_length(model: SQCodecModel) -> None:
    with torch.no_grad():
        for length in (1, SMALL.pad_multiple, SMALL.pad_multiple + 1):
            assert model.eval()(torch.randn(2, length)).shape == (2, length)


def test_first_window_alone_is_the_same_in_training_and_evaluation() -> None:
    """Training leaves out the empty window that evaluation masks."""
    torch.manual_seed(0)
    transformer = LocalTransformer(256, 2, 8)
    x = torch.randn(2, 24, 256)
    with torch.no_grad():
        torch.testing.assert_close(transformer.train()(x), transformer.eval()(x))


def test_transformer_is_causal_and_looks_back_two_windows() -> None:
    torch.manual_seed(0)
    window, depth = 8, 2
    transformer = LocalTransformer(256, depth, window).eval()
    x = torch.randn(1, 6 * window, 256)
    changed = x.clone()
    at = 2 * window + 3
    changed[:, at] += torch.randn(256)
    with torch.no_grad():
        moved = (transformer(x) - transformer(changed)).abs().amax(-1)[0] > 1e-6
    assert not moved[:at].any()
    assert moved[at : (2 + 1 + depth) * window].all()
    assert not moved[(2 + 1 + depth) * window :].any()


@pytest.mark.parametrize("levels", [(7,) * 6, (9, 9, 9, 7, 7, 7)], ids=str)
def test_every_code_survives_its_round_trip(levels: tuple[int, ...]) -> None:
    quantizer = FSQ(256, levels)
    codes = torch.arange(quantizer.codebook_size)
    digits = codes[:, None] // quantizer.basis % quantizer.levels
    assert torch.equal(quantizer.codes((digits - quantizer.levels // 2).float()), codes)
    assert torch.equal(codes[1], quantizer.codes(torch.tensor([1 - levels[0] // 2, *(
        -(level // 2) for level in levels[1:])]).float()))  # fmt: skip


def test_codes_decode_to_the_features_they_came_with() -> None:
    torch.manual_seed(0)
    quantizer = FSQ(256, (7,) * 6).eval()
    with torch.no_grad():
        quantizer.project_in.weight.mul_(5)
        features, codes = quantizer(torch.randn(3, 50, 256))
        assert len(codes.unique()) > 50
        torch.testing.assert_close(quantizer.decode(codes), features)


@pytest.mark.parametrize("mode", get_args(QuantizerMode))
def test_codes_are_those_of_evaluation_in_every_mode(mode: str) -> None:
    torch.manual_seed(0)
    quantizer = FSQ(256, (7,) * 6)
    quantizer.set_mode(mode)  # type: ignore[arg-type]
    x = 5 * torch.randn(2, 20, 256, requires_grad=True)
    features, codes = quantizer.train()(x)
    features.sum().backward()
    assert x.grad_fn is not None
    rounded, expected = quantizer.eval()(x)
    assert torch.equal(codes, expected)
    assert torch.allclose(features, rounded, atol=1e-5) == (mode in ("fsq", "mste", "rotation"))
    assert set(quantizer.state_dict()) == {
        f"project_{side}.{part}" for side in ("in", "out") for part in ("weight", "bias")
    }


def test_soft_mode_anneals_to_the_rounded_values() -> None:
    quantizer = FSQ(6, (3, 7, 5, 3, 7, 9)).train()
    x = torch.randn(2, 50, 6, generator=torch.Generator().manual_seed(0))
    distances = []
    for sharpness in (0.5, 5.0, 500.0):
        quantizer.set_mode("soft", sharpness)
        distances.append(float((quantizer(x)[0] - quantizer.eval()(x)[0]).detach().abs().mean()))
        quantizer.train()
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 0.01


def test_taae_noise_is_one_level_wide_on_half_of_the_values() -> None:
    torch.manual_seed(0)
    quantizer = FSQ(6, (7,) * 6).train()
    quantizer.set_mode("taae")
    x = torch.randn(1, 4000, 6)
    with torch.no_grad():
        quantizer.project_out.weight.copy_(torch.eye(6) * 3)  # back to level units
        quantizer.project_out.bias.zero_()
        bounded = quantizer.bound(x)
        got, _ = quantizer(x)
    rounded = (got - got.round()).abs() < 1e-5
    assert rounded.float().mean().item() == pytest.approx(0.5, abs=0.02)
    noise = (got - bounded)[~rounded]
    assert noise.abs().max() <= 0.5
    assert noise.std().item() == pytest.approx(12**-0.5, rel=0.05)


def test_unknown_quantizer_mode() -> None:
    with pytest.raises(InputError, match="noise"):
        FSQ(256, (7,)).set_mode("noise")  # type: ignore[arg-type]


def test_quantizer_keeps_float32_under_autocast() -> None:
    quantizer = FSQ(256, (7,) * 6).eval()
    x = torch.randn(1, 50, 256)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(quantizer.encode(x), quantizer.encode(x.float()))
        assert quantizer.bound(x.bfloat16()).dtype == torch.float32


def published_grn(x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    norm = x.square().sum(dim=(1, 2), keepdim=True).sqrt()
    return gamma * (x * (norm / (norm + EPS))) + beta + x


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-7, 0.0], ids=str)
def test_grn_is_affine(scale: float) -> None:
    torch.manual_seed(0)
    grn = GRN(16)
    torch.nn.init.normal_(grn.gamma)
    torch.nn.init.normal_(grn.beta)
    x = scale * torch.randn(2, 30, 16)
    want = published_grn(x, grn.gamma, grn.beta)
    assert (grn(x) - want).abs().max() <= 4 * EPS * max(1.0, want.abs().max().item())
    weight, bias = torch.randn(5, 16), torch.randn(5)
    torch.testing.assert_close(
        F.linear(x, *grn.fold(weight, bias)), F.linear(want, weight, bias), atol=1e-5, rtol=1e-5
    )


def test_snake_and_its_gradient() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 5, 3, dtype=torch.double, requires_grad=True)
    alpha = torch.rand(3, dtype=torch.double) + 0.1
    want = x + torch.sin(alpha * x) ** 2 / (alpha + EPS)
    assert torch.allclose(_Snake.apply(x, alpha), want)  # type: ignore[no-untyped-call]
    assert torch.autograd.gradcheck(_Snake.apply, (x, alpha.requires_grad_()))
    assert Snake(3, (1, 3, 1)).alpha.shape == (1, 3, 1)


def test_snake_in_several_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches of 2 rows of 3, the last one shorter, give what one stretch does."""
    torch.manual_seed(0)
    x = torch.randn(5, 3, dtype=torch.double)
    alpha = torch.rand(3, dtype=torch.double) + 0.1
    leaves = [(x.clone().requires_grad_(), alpha.clone().requires_grad_()) for _ in range(2)]
    whole = _Snake.apply(*leaves[0])  # type: ignore[no-untyped-call]
    monkeypatch.setattr(conv_module, "_STRETCH", 6 // torch.get_num_threads())
    parts = _Snake.apply(*leaves[1])  # type: ignore[no-untyped-call]
    monkeypatch.undo()
    whole.square().sum().backward()
    monkeypatch.setattr(conv_module, "_STRETCH", 6 // torch.get_num_threads())
    parts.square().sum().backward()
    for one, other in zip((whole, *leaves[0]), (parts, *leaves[1]), strict=True):
        torch.testing.assert_close(one, other)
        if one.is_leaf:
            torch.testing.assert_close(one.grad, other.grad)


def test_snake_of_bfloat16_is_rounded_once() -> None:
    torch.manual_seed(0)
    x = (4 * torch.randn(7, 3)).bfloat16().requires_grad_()
    alpha = torch.rand(3) + 0.1
    found = _Snake.apply(x, alpha)  # type: ignore[no-untyped-call]
    assert torch.equal(found, _Snake.apply(x.float(), alpha).bfloat16())  # type: ignore[no-untyped-call]
    found.float().sum().backward()
    assert x.grad is not None
    want = 1 + alpha / (alpha + EPS) * torch.sin(2 * alpha * x.detach().float())
    assert torch.equal(x.grad, want.bfloat16())


@pytest.mark.parametrize("window", [1, 2, 7])
def test_position_bias_by_its_definition(window: int) -> None:
    """Against the read by index that it replaces, gradient included."""
    torch.manual_seed(0)
    unit = PositionBias(window, 16)
    by_distance = unit.mlp(torch.arange(2.0 * window)[:, None]).T
    query, key = torch.arange(window)[:, None] + window, torch.arange(2 * window)
    want = by_distance[:, (query - key).abs()].masked_fill(key > query, float("-inf"))
    found = unit()
    assert torch.equal(found, want)
    given = torch.randn(want.shape).masked_fill(key > query, 0.0)
    parameters = list(unit.parameters())
    for a, b in zip(
        torch.autograd.grad(found, parameters, given),
        torch.autograd.grad(want, parameters, given),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_attention_that_trains_its_bias_is_that_of_torch() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, HEADS, 3, 5, HEAD_DIM, requires_grad=True) for _ in range(3))
    bias = torch.randn(HEADS, 5, 5).masked_fill(torch.ones(5, 5).triu(1).bool(), float("-inf"))
    leaves = (q, k, v, bias.requires_grad_())
    a, b, c = (t.transpose(1, 2).flatten(0, 1) for t in (q, k, v))
    want = F.scaled_dot_product_attention(a, b, c, attn_mask=bias[None])
    found = _attend(*leaves).transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(found, want)
    given = torch.randn_like(want)
    pairs = (torch.autograd.grad(out, leaves, given) for out in (found, want))
    for mine, theirs in zip(*pairs, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_tpooling_against_its_definition(kernel: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 1, 20)
    got = TPooling(kernel)(x)[0, 0]
    if kernel == 1:
        assert torch.equal(got, x[0, 0])
        return
    half = kernel // 2
    peaks = [x[0, 0, max(0, i - half) : i + half + 1].abs().max() for i in range(20)]
    padded = [torch.tensor(0.0)] * half + peaks + [torch.tensor(0.0)] * half
    want = torch.stack([torch.stack(padded[i : i + kernel]).sum() / kernel for i in range(20)])
    torch.testing.assert_close(got, want)


def test_channels_last_layers_equal_torchs() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 30, 8)
    first = x.transpose(1, 2)
    for conv in (
        torch.nn.Conv1d(8, 8, 7, padding=9, dilation=3),
        torch.nn.Conv1d(8, 8, 7, padding=3, groups=8),
        torch.nn.Conv1d(8, 4, 5, stride=5),
        torch.nn.Conv1d(8, 4, 1),
    ):
        torch.testing.assert_close(convolve(conv, x), conv(first).transpose(1, 2))
    up = F.interpolate(first, scale_factor=3.0, mode="linear").transpose(1, 2)
    torch.testing.assert_close(upsample(x, 3), up)
    norm = ChannelNorm(8)
    want = (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + EPS).sqrt()
    torch.testing.assert_close(norm(x), want)


def test_tconv_passes_the_audio_on() -> None:
    """The audio is the last input of `conv_2`, beside the hidden channels."""
    unit = TConv(24)
    with torch.no_grad():
        state = unit.conv_2.state_dict()
        g, v = (state[f"parametrizations.weight.original{i}"] for i in (0, 1))
        v.zero_()
        v[:, -1] = 1
        g.fill_(1)
        audio = torch.randn(1, 50)
        torch.testing.assert_close(unit(audio), audio[..., None].expand(1, 50, 24))


@pytest.mark.parametrize("name", list_configs())
def test_operations_of_ten_seconds(name: str) -> None:
    """Multiply-adds in convolutions and matrix products, counted by torch (in units of 1e9)."""
    from torch.utils.flop_counter import FlopCounterMode

    published = {
        "0k75bps": 46.03, "1k5bps": 45.49, "3kbps": 45.78, "6kbps": 74.29, "12kbps": 130.68,
        "12kbps_24khz": 137.36, "24kbps_24khz": 272.11,
    }  # fmt: skip
    config = load_config(name)
    with torch.device("meta"):
        network = SQCodecModel(config).eval()
        audio = torch.zeros(1, 10 * config.sample_rate)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(audio)
    assert round(counter.get_total_flops() / 2e9, 2) == pytest.approx(published[name], abs=0.011)
