"""Operating points by number of codebooks, ladders, and codecs by their repository."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import audio_fixtures
import numpy as np
import pytest

from sqbench.engine.systems.names import expand
from sqbench_codecs import CODECS, Codec, load_codec
from sqcodec.errors import InputError

Tiny = Callable[[str], Codec]
Folder = Callable[[str], Path]


@pytest.mark.parametrize(
    ("name", "point", "bitrate"),
    [
        ("dac-24k@8", "dac-24k-6k", 6000),
        ("encodec-24k@8", "encodec-24k-6k", 6000),
        ("encodec-24k@3", "encodec-24k-q3", 2250),
        ("encodec-24k-q3", "encodec-24k-q3", 2250),
        ("mimi@12", "mimi-q12", 1650),
        ("xcodec@5", "xcodec-q5", 2500),
        ("higgs@3", "higgs-q3", 750),
    ],
)
def test_a_number_of_codebooks_is_a_point(name: str, point: str, bitrate: float) -> None:
    spec = CODECS.get(name).spec
    assert spec.name == point
    assert spec.bitrate_bps == pytest.approx(bitrate)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dac-24k@33", "1 to 32"),
        ("dac@3", "with its rate"),
        ("snac-24k@2", "can be chosen"),
        ("sqcodec@2", "can be chosen"),
        ("encodec-48k@3", "can be chosen"),
        ("nothing@3", "unknown codec"),
    ],
)
def test_what_cannot_be_a_point(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        CODECS.get(name)


def test_a_ladder_is_its_points() -> None:
    assert expand(["dac-24k@1..32:8,opus-6k"]) == [
        *(f"dac-24k@{k}" for k in (1, 8, 16, 24, 32)),
        "opus-6k",
    ]
    assert expand(["mimi@2..4@official"]) == [f"mimi@{k}@official" for k in (2, 3, 4)]
    with pytest.raises(InputError, match="FIRST"):
        expand(["dac-24k@8..2"])


@pytest.mark.parametrize(
    ("most", "family"), [("encodec-24k-24k", "encodec-24k"), ("xcodec-4k", "xcodec")]
)
def test_a_point_has_the_first_codebooks_of_more(
    most: str, family: str, tiny: Tiny, tiny_folder: Folder
) -> None:
    many = tiny(most)
    few = load_codec(f"{family}@3", weights=str(tiny_folder(most)))
    x = audio_fixtures.babble(0.5, many.spec.sample_rate or 0).astype(np.float32)
    codes = few.encode([x])[0]
    np.testing.assert_array_equal(codes, many.encode([x])[0][:3])
    assert few.decode([codes], [len(x)])[0].shape == x.shape


@pytest.mark.parametrize(
    "name", ["encodec-24k-24k", "dac-16k-6k", "mimi-q32", "xcodec-4k", "xcodec2", "neucodec"]
)
def test_a_model_of_the_hub_is_the_family_here(name: str, tiny: Tiny, tiny_folder: Folder) -> None:
    known = tiny(name)
    found = load_codec(f"hf:{tiny_folder(name)}")
    for fact in ("sample_rate", "frame_rate", "codebook_sizes", "bitrate_bps", "decoded_rate"):
        assert getattr(found.spec, fact) == getattr(known.spec, fact), fact
    assert found.weights.sha256 == known.weights.sha256
    x = audio_fixtures.babble(1.0, known.spec.sample_rate or 0).astype(np.float32)[:-3]
    codes = known.encode([x])
    np.testing.assert_array_equal(found.encode([x])[0], codes[0])
    np.testing.assert_array_equal(
        found.decode(codes, [len(x)])[0], known.decode(codes, [len(x)])[0]
    )


def test_a_model_of_the_hub_with_fewer_codebooks(tiny_folder: Folder) -> None:
    folder = tiny_folder("dac-16k-6k")
    codec = load_codec(f"hf:{folder}@2")
    assert codec.spec.num_codebooks == 2
    assert codec.spec.bitrate_bps == pytest.approx(1000)
    with pytest.raises(InputError, match="1 to 12"):
        CODECS.get(f"hf:{folder}@13")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "vibevoice_acoustic_tokenizer"}, "continuous latents"),
        ({"model_type": "bert"}, "found bert"),
        ({"model_type": "encodec", "audio_channels": 2}, "stereo"),
        ({"model_type": "dac", "n_codebooks": "many"}, "a config of dac"),
        ([], "a JSON object"),
    ],
)
def test_what_is_no_codec_of_codes(config: object, message: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=message):
        CODECS.get(f"hf:{tmp_path}")
