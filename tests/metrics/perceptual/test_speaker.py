"""Speaker similarity: the encoder equal to the package's, without torch."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from metric_signals import damaged, noise, voice

from sqbench.metrics import catalogue
from sqbench.metrics.base import Samples, Undefined
from sqbench.metrics.perceptual import speaker, voice_encoder
from sqbench.metrics.perceptual.weights import HubFiles
from sqbench.metrics.protocol import prepare

pytest.importorskip("resemblyzer.hparams", reason="pip install --no-deps Resemblyzer==0.1.4")


def measure(reference: Samples, estimate: Samples) -> float:
    return catalogue.get("spk-sim").measure(prepare(reference, 16_000, estimate, 16_000))


def test_the_embedding_is_the_packages() -> None:
    package = pytest.importorskip("resemblyzer", reason="needs webrtcvad-wheels")
    clip = voice(2.6).astype(np.float32)
    expected = package.VoiceEncoder("cpu", verbose=False).embed_utterance(
        voice_encoder.raised(clip)
    )
    assert voice_encoder.embed(clip) == pytest.approx(expected, abs=1e-5)


def test_the_file_is_read_as_torch_reads_it() -> None:
    import torch

    path = voice_encoder.WEIGHTS.locate()
    expected = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    state = voice_encoder.load(voice_encoder.WEIGHTS).state
    assert len(state) == 14
    for name, array in state.items():
        assert np.array_equal(array, expected[name].numpy())


def test_a_file_that_asks_for_code_is_refused() -> None:
    class Bad:
        def __reduce__(self) -> tuple[object, ...]:
            return (print, ("run",))

    stream = io.BytesIO()
    parts: tuple[object, ...] = (0x1950A86A20F9469CFC6C, 1001, {}, Bad())
    for each in parts:
        pickle.dump(each, stream, protocol=2)
    with pytest.raises(pickle.UnpicklingError, match="asks for"):
        voice_encoder.read_legacy(stream.getvalue())


def test_equal_voices_are_one() -> None:
    assert measure(voice(2.0), voice(2.0)) == pytest.approx(1.0, abs=1e-6)
    assert measure(voice(2.0), damaged(voice(2.0))) < 1.0


@pytest.mark.parametrize(
    ("reference", "estimate", "reason"),
    [
        (voice(2.0), np.zeros(32_000), "the estimate is silent"),
        (np.zeros(32_000), voice(2.0), "the reference is silent"),
        (voice(2.0)[:320], noise(320), "too short"),
        (voice(0.9), noise(14_400), "too short"),
    ],
)
def test_no_value(reference: Samples, estimate: Samples, reason: str) -> None:
    with pytest.raises(Undefined, match=reason):
        measure(reference, estimate)


@pytest.mark.slow
def test_wavlm_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers")
    import torch

    torch.manual_seed(0)
    config = transformers.WavLMConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        conv_dim=(16, 16), conv_kernel=(10, 3), conv_stride=(5, 2), num_feat_extract_layers=2,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, tdnn_dim=(16, 16),
        tdnn_kernel=(3, 1), tdnn_dilation=(1, 1), xvector_output_dim=16,
    )  # fmt: skip
    model = transformers.WavLMForXVector(config).eval()
    model.save_pretrained(tmp_path)
    extractor = transformers.Wav2Vec2FeatureExtractor()
    extractor.save_pretrained(tmp_path)
    names = ("config.json", "preprocessor_config.json", "model.safetensors")
    monkeypatch.setattr(
        speaker.WavLMSimilarity, "weights", HubFiles("any/name", names, folder=tmp_path)
    )
    clip = voice(1.2).astype(np.float32)
    with torch.no_grad():
        inputs = extractor(clip, sampling_rate=16_000, return_tensors="pt")
        expected = model(**inputs).embeddings[0].numpy()
    metric = speaker.WavLMSimilarity()
    assert metric.embed(clip) == pytest.approx(expected, abs=1e-5)
    both = prepare(voice(1.2), 16_000, voice(1.2), 16_000)
    assert metric.measure(both) == pytest.approx(1.0, abs=1e-6)
