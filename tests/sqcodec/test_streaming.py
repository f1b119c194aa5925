"""Streams against whole clips: codes, audio, and how long they wait."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from sqcodec import InputError, SQCodec, list_configs, load_config
from sqcodec.config import SQCodecConfig
from sqcodec.inference.latency import codes_for, heard_for, latency
from sqcodec.inference.norms import NormStatistics, RunningNorm
from sqcodec.inference.streamed_coders import encoder_chain
from sqcodec.inference.streaming import CodecStream
from sqcodec.model import SQCodecModel
from sqcodec.weights import WeightsInfo

CONFIGS = {
    "plain": replace(load_config("6kbps"), window=10),
    "compressed": replace(load_config("1k5bps"), window=10),
    "by three": replace(load_config("0k75bps"), window=10),
    "without gates": replace(load_config("6kbps"), window=10, teconv=False, tconv=False),
}


def random_codec(config: SQCodecConfig) -> SQCodec:
    torch.manual_seed(0)
    model = SQCodecModel(config).eval()
    with torch.no_grad():
        for key, value in model.named_parameters():
            if "grn" in key or key.endswith(("bias", "alpha", "norm.weight")):
                value.add_(0.2 * torch.randn_like(value))
        # Latents spread over all levels: random ones would give a handful of codes.
        inside = model.quantizer.project_in
        latents = inside(model.en_encoder(model.encoder(model.pad(signal(4000)[None]))))[0]
        inside.weight.div_(latents.std(0)[:, None])
        inside.bias.sub_(latents.mean(0)).div_(latents.std(0))
    return SQCodec(model, WeightsInfo(source="random", sha256="", detail="", config=config.name))


@pytest.fixture(scope="module", params=list(CONFIGS))
def codec(request: pytest.FixtureRequest) -> SQCodec:
    return random_codec(CONFIGS[request.param])


def signal(length: int) -> Tensor:
    torch.manual_seed(1)
    time = torch.arange(length) / 16000
    level = 0.5 + 0.5 * torch.sin(2 * torch.pi * 3 * time)
    return 0.3 * level * torch.sin(2 * torch.pi * 200 * time) + 0.02 * torch.randn(length)


def through(stream: CodecStream, audio: Tensor, sizes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """All codes and all samples, of chunks of these sizes in turn."""
    codes, samples, start, turn = [], [], 0, 0
    while start < len(audio):
        size = sizes[turn % len(sizes)]
        codes.append(stream.encoder.push(audio[start : start + size]))
        samples.append(stream.decoder.push(codes[-1]))
        start, turn = start + size, turn + 1
    codes.append(stream.encoder.flush(whole_windows=True))
    samples += [stream.decoder.push(codes[-1]), stream.decoder.flush()]
    return torch.cat(codes), torch.cat(samples)


@pytest.mark.parametrize("sizes", [(8000,), (320,), (1, 700, 0, 44, 2999)])
def test_chunks_give_what_the_whole_does(codec: SQCodec, sizes: Sequence[int]) -> None:
    """Ends included, where the norms' statistics are given; 12013 samples fill no window."""
    audio = signal(12013)
    codes = codec.encode(audio)
    stream = codec.stream(codec.norm_statistics(codes), norm_seconds=math.inf)
    got, samples = through(stream, audio, sizes)
    assert got.shape == codes.shape
    assert len(set(codes.tolist())) > 15
    # A value that lies on the edge of two levels may be rounded either way.
    assert (got == codes).float().mean() > 0.998
    if torch.equal(got, codes):
        assert (samples - codec.decode(codes)).abs().max() < 1e-4


def test_without_the_statistics_audio_would_differ() -> None:
    """Guards the test above: the norms are what a stream cannot know."""
    codec, audio = random_codec(CONFIGS["plain"]), signal(12013)
    _, samples = through(codec.stream(), audio, (8000,))
    assert (samples - codec.decode(codec.encode(audio))).abs().max() > 1e-3


@pytest.mark.parametrize("length", [0, 1, 45, 44 * 45 + 7, 450])
def test_codes_end_with_the_audio(length: int) -> None:
    codec = random_codec(CONFIGS["plain"])
    audio, stream = signal(length), codec.stream()
    codes = torch.cat([stream.encoder.push(audio), stream.encoder.flush()])
    assert len(codes) == -(-length // codec.config.hop)
    assert (codes == codec.encode(audio)[: len(codes)]).float().mean() > 0.97 or not length
    samples = torch.cat([stream.decoder.push(codes), stream.decoder.flush()])
    assert len(samples) == len(codes) * codec.config.hop


@pytest.mark.parametrize("name", list_configs())
def test_a_stream_waits_for_as_long_as_its_config_says(name: str) -> None:
    config = replace(load_config(name), window=10)
    codec = random_codec(config)
    encoder, heard = codec.stream().encoder, heard_for(config, 3)
    given = [len(encoder.push(signal(n))) for n in (heard - 1, 1, config.hop - 1, 1)]
    assert given == [2, 1, 0, 1]
    decoder, samples = codec.stream().decoder, 0
    for received in range(1, codes_for(config, 1) + 4):
        samples += len(decoder.push(torch.zeros(1, dtype=torch.long)))
        assert codes_for(config, samples + 1) > received
        assert not samples or codes_for(config, samples) <= received
    assert samples
    found = latency(config)
    assert found.total <= found.frame + found.encoder + found.decoder
    assert found.first <= found.total
    assert found.seconds == found.total / config.sample_rate


@pytest.mark.parametrize(
    ("name", "samples"), [("6kbps", 2337), ("1k5bps", 4888), ("24kbps_24khz", 1090)]
)
def test_latencies(name: str, samples: int) -> None:
    assert latency(load_config(name)).total == samples


def test_audio_does_not_depend_on_what_comes_later(codec: SQCodec) -> None:
    """What changes from a sample on is heard in the output no earlier than the latency before."""
    audio, at = signal(16000), 12000
    other = torch.cat([audio[:at], 0.5 * torch.randn(4000)])
    before, after = (through(codec.stream(), x, (16000,))[1] for x in (audio, other))
    changed = torch.nonzero(before != after)
    assert len(changed) > 1000
    assert int(changed[0]) >= at - latency(codec.config).total


def test_features_are_those_of_the_network(codec: SQCodec) -> None:
    audio, model = signal(codec.config.pad_multiple * 2), codec.model
    chain = encoder_chain(codec._engine)
    with torch.no_grad():
        want = model.en_encoder(model.encoder(audio[None]))
        got = [chain.push(part) for part in torch.split(audio[None], 500, dim=1)]
        got.append(chain.flush(audio[None, :0]))
    assert (torch.cat(got, dim=1) - want).abs().max() < 1e-4


def test_norms_follow_their_formula() -> None:
    generator = np.random.default_rng(0)
    x = 50 + generator.standard_normal((400, 2))
    mean, variance, weight = [49.0, 52.0], [0.5, 2.0], 30.0
    norm = RunningNorm(mean, variance, weight, eps=1e-5)
    got = torch.cat([norm(torch.from_numpy(part)) for part in np.split(x, [1, 7, 7, 300])])
    steps = weight + np.arange(1, 401)[:, None]
    means = (weight * np.array(mean) + x.cumsum(0)) / steps
    squares = (weight * (np.array(variance) + np.square(mean)) + np.square(x).cumsum(0)) / steps
    want = (x - means) / np.sqrt(squares - np.square(means) + 1e-5)
    assert np.abs(got.numpy() - want).max() < 1e-5


def test_known_statistics_for_good() -> None:
    norm = RunningNorm([1.0], [4.0], math.inf, eps=0.0)
    assert torch.equal(norm(torch.tensor([[3.0], [5.0]])), torch.tensor([[1.0], [2.0]]))


def test_what_was_heard_alone_begins_at_its_mean() -> None:
    norm = RunningNorm([0.0], [0.0], 0.0, eps=1e-5)
    assert norm(torch.tensor([[7.0]])).item() == 0.0


def test_bundled_weights_come_with_statistics() -> None:
    """After other weights are bundled: tools/stream_norms.py."""
    codec = SQCodec.from_pretrained("6k", "bundled")
    assert codec.stream().settings["norm_statistics"] is not None


def test_what_cannot_be_streamed() -> None:
    codec = random_codec(CONFIGS["plain"])
    stream = codec.stream()
    for bad in (torch.zeros(1, 10), torch.zeros(10, dtype=torch.int16)):
        with pytest.raises(InputError):
            stream.encoder.push(bad)
    with pytest.raises(InputError, match="codes to decode"):
        stream.decoder.push(torch.full((3,), codec.codebook_size))
    with pytest.raises(InputError, match="shape"):
        stream.decoder.push(torch.zeros(1, 3, dtype=torch.long))
    stream.encoder.flush()
    with pytest.raises(InputError, match="has ended"):
        stream.encoder.push(signal(10))
    with pytest.raises(InputError, match="norm_seconds"):
        codec.stream(norm_seconds=-1)
    other = NormStatistics(means=((0.0,),), variances=((1.0,),))
    with pytest.raises(InputError, match="norm_statistics"):
        codec.stream(other)
