"""The network of ONNX operations, its weights in 8 bits, and the files under onnxruntime."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sqcodec import InputError, SQCodec, load_config
from sqcodec.inference import onnx_export
from sqcodec.inference.onnx_networks import DecoderNetwork, EncoderNetwork
from sqcodec.inference.onnx_weights import quantized, to_int8
from sqcodec.model import SQCodecModel
from sqcodec.weights import WeightsInfo

CONFIGS = {
    "plain": replace(load_config("6kbps"), window=10),
    "compressed": replace(load_config("1k5bps"), window=10),
    "without gates": replace(load_config("6kbps"), window=10, teconv=False, tconv=False),
}


def random_codec(name: str) -> SQCodec:
    torch.manual_seed(0)
    model = SQCodecModel(CONFIGS[name]).eval()
    with torch.no_grad():
        for key, value in model.named_parameters():
            if "grn" in key or key.endswith(("bias", "alpha", "norm.weight")):
                value.add_(0.2 * torch.randn_like(value))
        inside = model.quantizer.project_in
        latents = inside(model.en_encoder(model.encoder(signal(model.config.pad_multiple * 4))))[0]
        inside.weight.div_(latents.std(0)[:, None])
        inside.bias.sub_(latents.mean(0)).div_(latents.std(0))
    return SQCodec(model, WeightsInfo(source="random", sha256="ab", detail="", config=name))


def signal(length: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    time = torch.arange(length) / 16000
    tone = 0.3 * torch.sin(2 * torch.pi * 200 * time) * torch.sin(2 * torch.pi * 3 * time)
    return (tone + 0.02 * torch.randn(length, generator=generator))[None]


@pytest.mark.parametrize("name", list(CONFIGS))
@torch.no_grad()
def test_networks_are_the_codec(name: str) -> None:
    codec = random_codec(name)
    encoder, decoder = EncoderNetwork(codec._engine), DecoderNetwork(codec._engine)
    for windows in (1, 4):
        audio = signal(windows * codec.config.pad_multiple)
        codes = codec.encode(audio)
        assert len(set(codes[0].tolist())) > 3 * windows
        assert (encoder(audio) == codes).float().mean() > 0.998
        assert (decoder(codes) - codec.decode(codes)).abs().max() < 1e-4


def test_eight_bits_are_within_half_a_step_by_channel() -> None:
    values = np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)
    values[2] = 0
    stored, scale = quantized(values, axis=0)
    assert stored.dtype == np.int8
    assert scale.shape == (5, 1)
    assert np.abs(stored).max(axis=1).tolist() == [127, 127, 0, 127, 127]
    assert (np.abs(stored * scale - values) <= scale / 2 + 1e-7).all()


def test_large_weights_alone_are_stored_in_eight_bits(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs requirements/onnx.txt")
    ort = pytest.importorskip("onnxruntime")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    rng = np.random.default_rng(0)
    large, small = (rng.standard_normal((n, n)).astype(np.float32) for n in (80, 4))
    large *= np.arange(1, 81)  # output channels of very unlike size
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "large"], ["y"]),
            helper.make_node("MatMul", ["z", "small"], ["w"]),
        ],
        "g",
        [
            helper.make_tensor_value_info("x", 1, [3, 80]),
            helper.make_tensor_value_info("z", 1, [3, 4]),
        ],
        [helper.make_tensor_value_info(n, 1, None) for n in ("y", "w")],
        [numpy_helper.from_array(large, "large"), numpy_helper.from_array(small, "small")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    before = model.ByteSize()
    to_int8(model)
    assert model.ByteSize() < before / 3
    assert {t.name for t in model.graph.initializer} == {"small", "large_int8", "large_scale"}
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x, z = rng.standard_normal((3, 80)).astype("f"), rng.standard_normal((3, 4)).astype("f")
    y, w = session.run(None, {"x": x, "z": z})
    stored, scale = quantized(large, axis=1)
    assert np.allclose(y, x @ (stored * scale), rtol=1e-4, atol=1e-3)
    assert np.allclose(w, z @ small, atol=1e-5)


def test_without_its_packages_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_export, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"sqbench\[onnx\]"):
        random_codec("plain").export_onnx(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "compressed"])
def test_files_give_what_the_codec_gives(name: str, tmp_path: Path) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="needs requirements/onnx.txt")
    import onnxruntime as ort

    codec = random_codec(name)
    files = codec.export_onnx(tmp_path / "new" / "folder")
    encoder, decoder = (ort.InferenceSession(str(p)) for p in (files.encoder, files.decoder))
    facts = encoder.get_modelmeta().custom_metadata_map
    assert json.loads(facts["pad_multiple"]) == codec.config.pad_multiple
    assert json.loads(facts["weights_sha256"]) == "ab"
    for windows in (1, 2, 7):  # of which the exporter saw none
        audio = signal(windows * codec.config.pad_multiple)
        codes = codec.encode(audio)
        got = encoder.run(None, {"audio": audio.numpy()})[0]
        assert (got == codes.numpy()).mean() > 0.998
        samples = decoder.run(None, {"codes": codes.numpy()})[0]
        assert np.abs(samples - codec.decode(codes).numpy()).max() < 1e-4
    small = codec.export_onnx(tmp_path / "int8", int8=True)
    assert small.size < 0.6 * files.size
