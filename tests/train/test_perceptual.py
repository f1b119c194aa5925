"""The perceptual loss, against transformers' own front end, with a tiny random Whisper."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sqcodec.errors import InputError
from sqcodec.train.losses.perceptual import WhisperPerceptual
from sqcodec.train.losses.whisper_sources import WHISPER

transformers = pytest.importorskip("transformers", reason="the extra 'train' is not installed")

POSITIONS = 50  # 100 frames, 1 s


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Whisper of 16 features that hears one second, as ``save_pretrained`` leaves it."""
    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        d_model=16, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=32,
        decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=32, num_mel_bins=80,
        max_source_positions=POSITIONS, max_target_positions=8, vocab_size=16, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=3, dropout=0.5, init_std=0.2,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("models") / "tiny-whisper"
    transformers.WhisperForConditionalGeneration(config).save_pretrained(path)
    transformers.WhisperFeatureExtractor(feature_size=80, chunk_length=1).save_pretrained(path)
    return path


@pytest.fixture
def loss(folder: Path) -> WhisperPerceptual:
    return WhisperPerceptual.load(str(folder), sample_rate=16000)


@pytest.fixture
def damaged(folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a copy of the model with a file removed or replaced."""

    def make(file: str, content: bytes | None) -> Path:
        copy = shutil.copytree(folder, tmp_path / "damaged")
        (copy / file).unlink()
        if content is not None:
            (copy / file).write_bytes(content)
        return copy

    return make


def _speech_like(samples: int, items: int = 2, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((items, samples)).cumsum(axis=1)
    noise -= noise.mean(axis=1, keepdims=True)
    level = np.array([[0.5], [0.003]])[:items]
    return torch.tensor(level * noise / np.abs(noise).max(axis=1, keepdims=True)).float()


@pytest.mark.parametrize(
    "samples", [2, 100, 3200, 13500, 15799, 15900, 16000, 20000],
    ids=["two samples", "part of a window", "whole hops", "crop", "reaches all but one frame",
         "reaches the last frame", "full", "too long"],
)  # fmt: skip
def test_log_mel_equals_the_front_end_of_transformers(
    samples: int, loss: WhisperPerceptual, folder: Path
) -> None:
    audio = _speech_like(samples)
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
    expected = extractor(list(audio.numpy()), sampling_rate=16000, return_tensors="pt")
    found = loss.log_mel(audio)
    assert found.shape == (2, 80, 2 * POSITIONS)
    torch.testing.assert_close(found, expected["input_features"], rtol=0, atol=1e-4)


def test_loss_equals_an_independent_computation(loss: WhisperPerceptual, folder: Path) -> None:
    reference = _speech_like(9000)
    estimate = reference + 0.05 * torch.randn(2, 9000)
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
    model = transformers.WhisperForConditionalGeneration.from_pretrained(folder).eval()
    features = []
    with torch.no_grad():
        for audio in (estimate, reference):
            mel = extractor(list(audio.numpy()), sampling_rate=16000, return_tensors="pt")
            features.append(model.model.encoder(mel["input_features"])[0].double().numpy())
    total = 0.0
    for item in range(2):
        for frame in range(POSITIONS):
            total += ((features[0][item, frame] - features[1][item, frame]) ** 2).sum()
    assert loss(estimate, reference).item() == pytest.approx(total / (2 * POSITIONS), rel=1e-3)
    assert total > 0.01
    assert loss(reference, reference).item() == 0.0


def test_other_rates_are_resampled(folder: Path) -> None:
    """A tone keeps its place in the spectrum; 44.1 kHz is a ratio of large numbers."""
    rates = (16000, 24000, 44100)
    mels = []
    for rate in rates:
        tone = 0.3 * torch.sin(2 * torch.pi * 1000 * torch.arange(rate) / rate)
        loss = WhisperPerceptual.load(str(folder), sample_rate=rate)
        mels.append(loss.log_mel(tone[None])[0, :, 10:-10])
    for mel in mels[1:]:
        peak = mels[0] > mels[0].max() - 0.5
        torch.testing.assert_close(mel[peak], mels[0][peak], rtol=0, atol=0.02)


def test_gradient_is_that_of_the_estimate_alone(loss: WhisperPerceptual) -> None:
    reference = _speech_like(5000).requires_grad_()
    estimate = (0.9 * reference + 0.01 * torch.randn(2, 5000)).detach().requires_grad_()
    loss(estimate, reference).backward()
    assert estimate.grad is not None
    assert bool((estimate.grad.abs().sum(dim=1) > 0).all())
    assert bool(torch.isfinite(estimate.grad).all())
    assert reference.grad is None
    assert all(not p.requires_grad and p.grad is None for p in loss.parameters())


def test_gradient_equals_the_difference_quotient(loss: WhisperPerceptual) -> None:
    torch.manual_seed(3)
    reference, direction = _speech_like(4000, 1), torch.randn(1, 4000)
    estimate = (reference + 0.02 * torch.randn(1, 4000)).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(estimate, reference), estimate)
    step = 1e-4
    with torch.no_grad():
        up, down = (loss(estimate + s * direction, reference).item() for s in (step, -step))
    assert (up - down) / (2 * step) == pytest.approx((gradient * direction).sum().item(), rel=0.02)


def test_silence_gives_finite_values_and_gradients(loss: WhisperPerceptual) -> None:
    for other in (torch.zeros(1, 4000), _speech_like(4000, 1)):
        estimate = torch.zeros(1, 4000, requires_grad=True)
        value = loss(estimate, other)
        value.backward()
        assert bool(torch.isfinite(value))
        assert estimate.grad is not None
        assert bool(torch.isfinite(estimate.grad).all())


def test_training_mode_never_reaches_the_encoder(loss: WhisperPerceptual) -> None:
    """This model drops half of its values while training."""
    a, b = _speech_like(5000, seed=1), _speech_like(5000, seed=2)
    first = loss(a, b).item()
    parent = torch.nn.ModuleList([loss]).train()
    assert loss(a, b).item() == first
    assert not any(module.training for module in parent[0].modules())


def test_front_end_stays_in_float32_under_autocast(loss: WhisperPerceptual) -> None:
    audio = _speech_like(5000)
    plain = loss.log_mel(audio)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(loss.log_mel(audio), plain, rtol=0, atol=0)
        assert loss(audio, 0.5 * audio).dtype == torch.float32


def test_identity_is_of_the_weights(loss: WhisperPerceptual, folder: Path) -> None:
    assert loss.identity["source"] == "tiny-whisper"
    assert "revision" not in loss.identity
    assert json.dumps(loss.identity)
    again = WhisperPerceptual.load(str(folder), sample_rate=24000)
    assert again.identity == loss.identity
    model = transformers.WhisperModel.from_pretrained(folder)
    model.encoder.layer_norm.bias.data[0] += 1e-3
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
    moved = WhisperPerceptual(model.get_encoder(), extractor, sample_rate=16000, identity={})
    assert moved.identity["sha256"] != loss.identity["sha256"]


def test_a_model_of_the_hub_is_read_from_its_cache_with_its_commit(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    home = tmp_path / "models--openai--whisper-tiny.en"
    shutil.copytree(folder, home / "snapshots" / commit)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    loss = WhisperPerceptual.load(sample_rate=16000)
    assert loss.identity["source"] == WHISPER == "openai/whisper-tiny.en"
    assert loss.identity["revision"] == commit


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (WHISPER, f"{WHISPER}.*Hugging Face hub"),
        ("./no/such/folder", "no such folder"),
    ],
    ids=["not in the cache, no hub", "no folder"],
)
def test_unreachable_weights_name_both_remedies(
    source: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=words) as error:
        WhisperPerceptual.load(source, sample_rate=16000)
    assert "local folder" in error.value.remedy
    assert "--set perceptual=none" in error.value.remedy


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("model.safetensors", None),
        ("model.safetensors", b"garbage"),
        ("config.json", None),
        ("config.json", b"{"),
        ("config.json", b'{"model_type": "bert"}'),
        ("preprocessor_config.json", None),
        ("preprocessor_config.json", b'{"feature_size": 128}'),
    ],
    ids=["no weights", "bad weights", "no config", "bad config", "another model",
         "no front end", "another front end"],
)  # fmt: skip
def test_a_folder_that_cannot_be_used(
    file: str, content: bytes | None, damaged: Callable[..., Path]
) -> None:
    with pytest.raises(InputError, match="damaged; expected a Whisper model"):
        WhisperPerceptual.load(str(damaged(file, content)), sample_rate=16000)


def test_missing_tensors_are_not_drawn_at_random(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    copy = shutil.copytree(folder, tmp_path / "part")
    tensors = load_file(copy / "model.safetensors")
    del tensors["model.encoder.conv1.weight"]
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"no encoder\.conv1\.weight \(1 tensors missing\)"):
        WhisperPerceptual.load(str(copy), sample_rate=16000)


def test_a_clip_that_fills_the_context_has_the_padded_features(folder: Path) -> None:
    """The layers one by one are the encoder; 1 s is all that this model hears."""
    audio = _speech_like(16000)
    features = [
        WhisperPerceptual.load(str(folder), sample_rate=16000, context=context).features(audio)
        for context in ("padded", "clip")
    ]
    torch.testing.assert_close(features[1], features[0], rtol=0, atol=1e-5)


def test_a_clip_is_encoded_on_its_first_positions_with_silence_behind(folder: Path) -> None:
    """Against the layers of transformers on the front end's first frames."""
    audio = _speech_like(4800)  # 0.3 s: 15 positions, and one for the window's reach
    loss = WhisperPerceptual.load(str(folder), sample_rate=16000, context="clip", silence=0.2)
    found = loss.features(audio)
    assert found.shape == (2, 16 + 10, 16)
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
    mel = extractor(list(audio.numpy()), sampling_rate=16000, return_tensors="pt")
    encoder = transformers.WhisperModel.from_pretrained(folder).eval().encoder
    with torch.no_grad():
        hidden = encoder.conv1(mel["input_features"][:, :, : 2 * 26])
        hidden = torch.nn.functional.gelu(encoder.conv2(torch.nn.functional.gelu(hidden)))
        hidden = hidden.mT + encoder.embed_positions.weight[:26]
        for layer in encoder.layers:
            hidden = layer(hidden, None)
        torch.testing.assert_close(found, encoder.layer_norm(hidden), rtol=0, atol=1e-4)


def test_silence_behind_a_clip_changes_features_and_does_not_count(folder: Path) -> None:
    reference = _speech_like(4800)
    estimate = reference + 0.05 * torch.randn(2, 4800)
    loss = WhisperPerceptual.load(str(folder), sample_rate=16000, context="clip", silence=0.2)
    with torch.no_grad():
        squared = (loss.features(estimate) - loss.features(reference)).square().sum(-1)
    assert float(squared[:, 16:].sum()) > 0
    expected = float(squared[:, :16].sum(1).mean()) / POSITIONS
    assert loss(estimate, reference).item() == pytest.approx(expected, rel=1e-5)
    assert loss.identity["context"] == "clip"
    assert loss.identity["silence_s"] == 0.2


def test_a_longer_clip_is_cut_to_the_context(folder: Path) -> None:
    loss = WhisperPerceptual.load(str(folder), sample_rate=16000, context="clip", silence=1.0)
    assert loss.features(_speech_like(40000)).shape == (2, POSITIONS, 16)


def test_noise_bounds_the_gradient_and_is_the_same_in_every_call(folder: Path) -> None:
    """Of near silence against silence: without noise, the slope of the logarithm."""
    plain, noisy = (
        WhisperPerceptual.load(str(folder), sample_rate=16000, context="clip", noise=noise)
        for noise in (0.0, 1e-2)
    )
    reference = torch.cat([_speech_like(4000, 1), torch.zeros(1, 4000)], dim=1)
    largest = []
    for loss in (plain, noisy):
        estimate = (reference + 1e-3 * torch.randn(1, 8000)).requires_grad_()
        (gradient,) = torch.autograd.grad(loss(estimate, reference), estimate)
        largest.append(float(gradient[:, 4400:].abs().max()))
    assert largest[1] < 0.1 * largest[0]
    other = 0.5 * reference
    assert noisy(other, reference).item() == noisy(other, reference).item() > 0
    assert noisy(reference, reference).item() == 0.0
    assert noisy.identity["noise"] == 1e-2
    assert "noise" not in plain.identity
