"""EnCodec's two models against transformers' own calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import audio_fixtures
import numpy as np
import pytest
import torch

from sqbench_codecs import CODECS, Codec, load_codec
from sqbench_codecs.encodec import CHUNK, STRIDE

Tiny = Callable[[str], Codec]


def _babble(seconds: float, rate: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return audio_fixtures.babble(seconds, rate).astype(np.float32)


def test_24k_is_the_librarys_call(tiny: Tiny) -> None:
    codec = tiny("encodec-24k-6k")
    x = _babble(1.01, 24000)
    with torch.no_grad():
        theirs = codec.network(torch.from_numpy(x)[None, None], bandwidth=6.0)  # type: ignore[attr-defined]
    codes = codec.encode([x])[0]
    np.testing.assert_array_equal(codes, theirs.audio_codes[0, 0].numpy())
    audio = codec.decode([codes], [len(x)])[0]
    np.testing.assert_array_equal(audio, theirs.audio_values[0, 0, : len(x)].numpy())


@pytest.mark.parametrize("name", ["encodec-48k-3k", "encodec-48k-24k"])
@pytest.mark.parametrize("length", [CHUNK, STRIDE, 2 * CHUNK + 777])
def test_48k_is_the_librarys_call_on_two_equal_channels(name: str, length: int, tiny: Tiny) -> None:
    codec = tiny(name)
    x = _babble(3.0, 48000)[:length]
    assert codec.spec.bitrate_bps is not None
    network = codec.network  # type: ignore[attr-defined]
    with torch.no_grad():
        found = network.encode(
            torch.from_numpy(x)[None, None].expand(1, 2, -1),
            bandwidth=codec.spec.bitrate_bps / 1000,
        )
        theirs = network.decode(
            found.audio_codes, found.audio_scales, last_frame_pad_length=found.last_frame_pad_length
        ).audio_values[0]
    audio = codec.decode(codec.encode([x]), [length])[0]
    np.testing.assert_allclose(audio, theirs.mean(0)[:length].numpy(), rtol=0, atol=1e-6)


def test_48k_chunks_that_the_library_cannot_stack(tiny: Tiny) -> None:
    """A last but one chunk of 149 frames."""
    codec = tiny("encodec-48k-6k")
    x = _babble(2.0, 48000)[: STRIDE + 100]
    codes = codec.encode([x])[0]
    assert codes.shape[1] == 1 + 149 + 1 + 1
    assert codec.decode([codes], [len(x)])[0].shape == x.shape


@pytest.mark.parametrize("gain", [1e-3, 1.0, 30.0])
def test_48k_codes_carry_the_level(gain: float, tiny: Tiny) -> None:
    """What is encoded louder comes back louder, from the codes alone."""
    codec = tiny("encodec-48k-6k")
    x = _babble(1.2, 48000)
    y = codec.decode(codec.encode([x]), [len(x)])[0]
    louder = codec.decode(codec.encode([gain * x]), [len(x)])[0]
    np.testing.assert_allclose(louder / gain, y, rtol=0, atol=0.05 * np.abs(y).max())


def test_names_before_and_after_parametrizations_load_alike(
    tmp_path: Path, tiny_folder: Callable[[str], Path]
) -> None:
    """The published file says weight_g and weight_v where today's network has parametrizations."""
    from safetensors.torch import load_file, save_file

    folder = tiny_folder("encodec-24k-6k")
    today = load_codec("encodec-24k-6k", weights=str(folder)).weights.sha256
    path = folder / "model.safetensors"
    renamed = {}
    for key, value in load_file(path).items():
        key = key.replace("parametrizations.weight.original0", "weight_g")
        renamed[key.replace("parametrizations.weight.original1", "weight_v")] = value
    assert sum(key.endswith("weight_g") for key in renamed) == 36
    save_file(renamed, path, {"format": "pt"})
    assert load_codec("encodec-24k-6k", weights=str(folder)).weights.sha256 == today


def test_parts_and_parameters_of_the_blueprint() -> None:
    from sqbench_codecs.encodec import EnCodec

    blueprint = CODECS.get("encodec-24k-6k").blueprint()
    assert blueprint is not None
    params = sum(p.numel() for p in blueprint.build().parameters()) / 1e6
    assert params == pytest.approx(14.852, abs=5e-4)
    assert set(EnCodec.parts(CODECS.get("encodec-24k-6k").spec)) == set(blueprint.parts)
