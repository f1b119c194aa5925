"""Our network and our engine against the published inference package."""

from __future__ import annotations

import pytest
import torch
from sqcodec_reference import Reference, boundary_distance, reference, test_audio

from sqcodec.config import list_configs, load_config
from sqcodec.inference.engine import Engine
from sqcodec.model import SQCodecModel
from sqcodec.official import PARTS

AUDIO_TOLERANCE = 2e-5
FEATURE_TOLERANCE = 1e-5
BOUNDARY = 5e-5
"""In levels. Rounding noise of the tokens (1e-6 of their size), through the scaled projection."""

TABLE_5 = {  # parameters, in millions
    "0k75bps": 15.18,
    "1k5bps": 15.10,
    "3kbps": 11.26,
    "6kbps": 11.21,
    "12kbps": 11.18,
    "12kbps_24khz": 11.22,
    "24kbps_24khz": 11.16,
}


def load(ref: Reference) -> SQCodecModel:
    model = SQCodecModel(ref.config).eval()
    for part, state in ref.states().items():
        getattr(model, part).load_state_dict(state, strict=True)
    return model


@torch.no_grad()
def deviations(ref: Reference, audio: torch.Tensor) -> dict[str, float]:
    """Largest differences of network and engine, after checking the codes."""
    want = ref.run(audio)
    codes = want["codes"]
    assert len(torch.unique(codes)) >= 50
    model = load(ref)
    engine = Engine(model)
    padded = model.pad(audio)
    stages = model.stages(audio)
    near = boundary_distance(model.quantizer, want["tokens"]) < BOUNDARY
    for ours in (stages.codes, engine.encode(padded)):
        assert torch.equal(ours[~near], codes[~near])
    found = {
        "frames": (stages.frames, want["frames"]),
        "engine frames": (engine.encoder(padded), want["frames"]),
        "tokens": (stages.tokens, want["tokens"]),
        "audio": (model.decode(codes), want["audio"]),
        "engine audio": (engine.decode(codes), want["audio"]),
    }
    return {key: (a - b).abs().max().item() for key, (a, b) in found.items()}


def check(result: dict[str, float]) -> None:
    for key, value in result.items():
        assert value <= (AUDIO_TOLERANCE if "audio" in key else FEATURE_TOLERANCE), (key, value)


@pytest.mark.parametrize("name", list_configs())
def test_network_matches_published_one(name: str) -> None:
    """Short windows, so that the few seconds hold many of them."""
    config = load_config(name)
    audio = test_audio(max(0.5, 200 / config.frame_rate), config.sample_rate)
    check(deviations(reference(name, audio, window=20), audio))


@pytest.mark.slow
@pytest.mark.parametrize("name", list_configs())
def test_network_matches_published_one_in_full(name: str) -> None:
    config = load_config(name)
    audio = test_audio(max(3.0, 200 / config.frame_rate), config.sample_rate)
    result = deviations(reference(name, audio), audio)
    print(name, {key: f"{value:.1e}" for key, value in result.items()})
    check(result)


@pytest.mark.parametrize("name", list_configs())
def test_parameter_count_is_table_5(name: str) -> None:
    with torch.device("meta"):
        model = SQCodecModel(load_config(name))
    count = sum(p.numel() for p in model.parameters())
    assert round(count / 1e6, 2) == TABLE_5[name]


@pytest.mark.parametrize("name", list_configs())
def test_parameters_have_published_names(name: str) -> None:
    audio = test_audio(0.2, 16000)
    ref = reference(name, audio, window=10)
    model = SQCodecModel(ref.config)
    for part in PARTS:
        ours = {k: v.shape for k, v in getattr(model, part).state_dict().items()}
        assert ours == {k: v.shape for k, v in ref.states()[part].items()}


def test_initialisation_is_the_published_one() -> None:
    """Same spread per kind of tensor; biases of normalised layers are zero."""
    ref = pytest.importorskip("sq_codec")
    from sq_codec.en_codec import EnCodec

    published = ref.SQCodecConfig(config_file=ref.CONFIG_DIR / "6kbps.toml")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = dict(EnCodec(published.network_config).named_parameters())
        ours = SQCodecModel(load_config("6kbps"))
    for key, value in ours.named_parameters():
        if value.numel() >= 1000:
            assert value.std().item() == pytest.approx(theirs[key].std().item(), rel=0.15), key
        if key.endswith(("dw_conv.bias", "pw_conv1.bias", "conv_1.bias")):
            assert not value.any(), key
