"""SQCodec behind the codec contract, with random weights saved in our own format."""

from __future__ import annotations

import math
from pathlib import Path

import audio_fixtures
import numpy as np
import pytest
import torch

import sqbench
from sqbench.counting import count
from sqbench_codecs import CODECS, Codec, load_codec, num_bits
from sqcodec.checkpoint import save_checkpoint
from sqcodec.config import list_configs, load_config
from sqcodec.errors import InputError
from sqcodec.model import SQCodecModel

TABLE_5_PARAMS_M = {
    "0k75bps": 15.18,
    "1k5bps": 15.1,
    "3kbps": 11.26,
    "6kbps": 11.21,
    "12kbps": 11.18,
    "12kbps_24khz": 11.22,
    "24kbps_24khz": 11.16,
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    return save_checkpoint(SQCodecModel(load_config("6kbps")), path)


@pytest.fixture(scope="module")
def codec(weights: Path) -> Codec:
    return load_codec("sqcodec-6k", weights=str(weights))


def test_lists_of_different_lengths_equal_single_clips(codec: Codec) -> None:
    lengths = (13500, 16000, 320)
    audio = [audio_fixtures.babble(2.0, seed=i)[:n].astype(np.float32) for i, n in
             enumerate(lengths)]  # fmt: skip
    codes = codec.encode(audio)
    decoded = codec.decode(codes, lengths)
    assert [c.shape for c in codes] == [(1, 300), (1, 600), (1, 300)]
    assert [len(y) for y in decoded] == list(lengths)
    for x, c, y in zip(audio, codes, decoded, strict=True):
        np.testing.assert_array_equal(codec.encode([x])[0], c)
        np.testing.assert_array_equal(codec.decode([c], [len(x)])[0], y)


def test_groups_of_a_gpu_hold_clips_of_one_padded_length(codec: Codec) -> None:
    codec.device = "cuda"
    try:
        assert codec._groups([300, 600, 300]) == [[0, 2], [1]]  # type: ignore[attr-defined]
    finally:
        codec.device = "cpu"
    assert codec._groups([300, 600, 300]) == [[0], [1], [2]]  # type: ignore[attr-defined]


def test_measured_bits_count_the_padding(codec: Codec) -> None:
    seconds = 1.0
    x = audio_fixtures.babble(seconds).astype(np.float32)
    bits = num_bits(codec.encode([x])[0], codec.spec.codebook_sizes)
    assert bits == pytest.approx(600 * math.log2(117649))
    assert codec.spec.bitrate_bps == pytest.approx(5989.0, abs=0.1)


def test_records_say_which_weights(weights: Path, tmp_path: Path) -> None:
    data = audio_fixtures.slt_folder(tmp_path / "data", clips=1, seconds=0.8)
    results = sqbench.evaluate(
        "sqcodec-6k", str(data), weights=str(weights), metrics=["sdr"], out=tmp_path / "out"
    )
    (label,) = set(results.frame.weights)
    codec = results.store.runs[0]["codecs"][0]
    assert label.startswith(str(weights))
    assert len(codec["weights"]["sha256"]) == 64
    assert codec["weights"]["sha256"][:8] in label
    assert codec["params_m"] == pytest.approx(11.207, abs=1e-3)
    assert codec["macs_g"] == pytest.approx(74, abs=0.5)


def test_other_weights_are_another_row(weights: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    other = save_checkpoint(SQCodecModel(load_config("6kbps")), tmp_path / "other.safetensors")
    data = audio_fixtures.slt_folder(tmp_path / "data", clips=1, seconds=0.8)
    for path in (weights, other):
        results = sqbench.evaluate(
            "sqcodec-6k", str(data), weights=str(path), metrics=["sdr"], out=tmp_path / "out"
        )
    assert len(results.summary()) == 2
    assert len(set(results.summary().index)) == 2


@pytest.mark.parametrize("name", list_configs())
def test_parameters_are_those_of_table_5(name: str) -> None:
    with torch.device("meta"):
        network = SQCodecModel(load_config(name))
    params = sum(p.numel() for p in network.parameters()) / 1e6
    assert round(params, 2) == TABLE_5_PARAMS_M[name]


def test_count_is_none_for_what_is_no_network() -> None:
    assert count(load_codec("opus-6k")) == {"macs_g": None, "params_m": None}


def test_no_weights_at_hand_is_one_clear_error(tmp_path: Path) -> None:
    entry = CODECS.get("sqcodec-3k")
    assert "no weights here" in entry.readiness()
    with pytest.raises(InputError, match="bundled"):
        entry.load(weights="bundled")
    with pytest.raises(InputError, match="nowhere"):
        entry.load(weights=str(tmp_path / "nowhere"))
