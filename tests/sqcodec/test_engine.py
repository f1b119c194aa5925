"""The inference engine against the trainable network: whole clips, segments, odd values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sqcodec.config import load_config
from sqcodec.inference.engine import Engine, with_context
from sqcodec.inference.folded import EXACT_POSITIONS_FROM, envelope, upsample_part
from sqcodec.inference.folded_decoder import Moments
from sqcodec.model import SQCodecModel
from sqcodec.model.conv import upsample
from sqcodec.model.tconv import TPooling

CONFIGS = {
    "plain": replace(load_config("6kbps"), window=10),
    "compressed": replace(load_config("0k75bps"), window=10),
}


@pytest.fixture(scope="module", params=list(CONFIGS))
def model(request: pytest.FixtureRequest) -> SQCodecModel:
    torch.manual_seed(0)
    network = SQCodecModel(CONFIGS[request.param]).eval()
    with torch.no_grad():
        for key, value in network.named_parameters():
            if "grn" in key or key.endswith(("bias", "alpha", "norm.weight")):
                value.add_(0.2 * torch.randn_like(value))
        network.quantizer.project_in.weight.mul_(10)
    return network


def speech_like(length: int) -> Tensor:
    torch.manual_seed(1)
    time = torch.arange(length) / 16000
    level = 0.5 + 0.5 * torch.sin(2 * torch.pi * 3 * time)
    return (level * torch.sin(2 * torch.pi * 200 * time) + 0.05 * torch.randn(length))[None]


@torch.no_grad()
def assert_same(engine: Engine, model: SQCodecModel, audio: Tensor, tolerance: float) -> None:
    padded = model.pad(audio)
    codes = model.encode(audio)
    assert (engine.encode(padded) == codes).float().mean() > 0.999
    got, want = engine.decode(codes), model.decode(codes)
    assert got.shape == padded.shape
    assert (got - want).abs().max() <= tolerance


def test_whole(model: SQCodecModel) -> None:
    assert_same(Engine(model), model, speech_like(20000), 1e-4)


@pytest.mark.parametrize("keep_bytes", [0, 1 << 22, 1 << 30], ids=["repeat", "some", "keep"])
def test_segments_equal_the_whole(model: SQCodecModel, keep_bytes: int) -> None:
    engine = Engine(model, whole_samples=0, segment_samples=1, keep_bytes=keep_bytes)
    audio = speech_like(60000)
    assert audio.shape[1] / (engine.segment_tokens * model.config.hop) > 3
    assert_same(engine, model, audio, 1e-4)


def test_segments_without_context_would_differ(model: SQCodecModel) -> None:
    """Guards the test above: what segments see of each other matters."""
    engine = Engine(model, whole_samples=0, segment_samples=1)
    for stage in engine.stages:
        stage.radius = 1
    with pytest.raises(AssertionError):
        assert_same(engine, model, speech_like(60000), 1e-4)


@torch.no_grad()
def test_batch_equals_single(model: SQCodecModel) -> None:
    engine = Engine(model)
    batch = model.pad(torch.cat([speech_like(9000), 0.5 * speech_like(9000).flip(1)]))
    codes = engine.encode(batch)
    assert torch.equal(codes, torch.cat([engine.encode(x[None]) for x in batch]))
    single = torch.cat([engine.decode(c[None]) for c in codes])
    torch.testing.assert_close(engine.decode(codes), single, atol=1e-5, rtol=0)


@torch.no_grad()
def test_codes_of_part_of_a_window(model: SQCodecModel) -> None:
    codes = model.encode(speech_like(model.config.pad_multiple))[:, :7]
    assert Engine(model).decode(codes).shape == (1, 7 * model.config.hop)


@torch.no_grad()
def test_silence_and_nothing(model: SQCodecModel) -> None:
    engine = Engine(model)
    silence = torch.zeros(1, model.config.pad_multiple)
    assert engine.decode(engine.encode(silence)).isfinite().all()
    assert engine.decode(engine.encode(silence[:, :0])).shape == (1, 0)


@torch.no_grad()
def test_small_alpha_is_not_folded() -> None:
    torch.manual_seed(0)
    model = SQCodecModel(CONFIGS["plain"]).eval()
    for key, value in model.named_parameters():
        if key.endswith("alpha"):
            value.flatten()[0] = 0.0
            value.flatten()[1] = -1e-5
    assert_same(Engine(model), model, speech_like(9000), 1e-4)


@torch.no_grad()
def test_inputs_are_not_overwritten() -> None:
    engine = Engine(SQCodecModel(CONFIGS["plain"]).eval())
    audio = speech_like(900)
    before = audio.clone()
    codes = engine.encode(audio)
    assert torch.equal(audio, before)
    kept = codes.clone()
    first = engine.decode(codes)
    assert torch.equal(codes, kept)
    assert torch.equal(first, engine.decode(codes))


def test_context_covers_each_step_once() -> None:
    x = torch.arange(23.0)[None, :, None]

    def segments() -> Iterator[Tensor]:
        yield from torch.split(x, 5, dim=1)

    parts = list(with_context(segments(), 4))
    kept = [part[:, left : part.shape[1] - right] for part, left, right in parts]
    assert torch.equal(torch.cat(kept, dim=1), x)
    assert [(left, right) for _, left, right in parts] == [(0, 4), (4, 4), (4, 4), (4, 3), (4, 0)]
    assert all(torch.equal(p.diff(dim=1), torch.ones_like(p[:, 1:])) for p, _, _ in parts)


@pytest.mark.parametrize("kernel", [1, 3, 5, 9, 11, 21, 45])
def test_envelope_is_tpooling(kernel: int) -> None:
    torch.manual_seed(0)
    for length in (100, 7):
        x = torch.randn(2, length)
        torch.testing.assert_close(envelope(x, kernel), TPooling(kernel)(x[:, None])[:, 0])


@pytest.mark.parametrize("rate", [2, 3, 5])
def test_upsampling_in_parts_has_the_positions_of_the_whole(rate: int) -> None:
    """Far from the start torch's float32 positions are off, and the network's output with them."""
    length, first, start = 1_500_000, 1_399_990, 1_400_000
    assert length * rate < EXACT_POSITIONS_FROM
    x = torch.randn(1, length, 1)
    whole = upsample(x, rate)[:, start * rate : (start + 50) * rate]
    part = upsample_part(x[:, first : start + 60], first, start, start + 50, rate, length)
    torch.testing.assert_close(part, whole)
    exact = F.interpolate(x[:, first : start + 60].mT.double(), scale_factor=rate, mode="linear")
    off = exact.mT[:, (start - first) * rate :][:, : 50 * rate].float()
    assert rate == 2 or (part - off).abs().max() > 1e-3


def test_upsampling_of_very_long_clips_is_exact() -> None:
    length, rate = EXACT_POSITIONS_FROM // 2, 3
    x = torch.randn(1, 40, 1)
    start = length - 30
    part = upsample_part(x, length - 40, start, length - 10, rate, length)
    exact = F.interpolate(x.mT.double(), scale_factor=rate, mode="linear").mT[:, 30:90].float()
    torch.testing.assert_close(part, exact, atol=1e-6, rtol=0)


def test_moments_of_parts_are_those_of_the_whole() -> None:
    torch.manual_seed(0)
    x = 1000 + torch.randn(2, 500, 4)
    moments = Moments()
    for part in torch.split(x, 130, dim=1):
        moments.update(part)
    torch.testing.assert_close(moments.mean, x.double().mean(1))
    torch.testing.assert_close(moments.variance, x.double().var(1, correction=0))
