"""The weights that the wheel carries: they must work on what every user will try first."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sqbench.audio import first_channel, read, resample
from sqbench.data import open_source
from sqbench_codecs import Codec, load_codec

RATE = 16000
Audio = NDArray[np.float32]


@pytest.fixture(scope="module")
def codec() -> Codec:
    return load_codec("sqcodec-6k", weights="bundled")


@pytest.fixture(scope="module")
def speech() -> Audio:
    """The first six spoken clips of the embedded set, one after the other ``[T]``."""
    clips = [u for u in open_source("mini").utterances() if u.domain == "speech"][:6]
    parts = []
    for clip in clips:
        samples, rate = read(clip.path or clip.content(), name=clip.id)
        parts.append(resample(first_channel(samples), rate, RATE))
    return np.concatenate(parts).astype(np.float32)


def through(codec: Codec, x: Audio) -> tuple[NDArray[np.int64], Audio]:
    (codes,) = codec.encode([x])
    (decoded,) = codec.decode([codes], [len(x)])
    assert decoded.shape == x.shape
    assert np.isfinite(decoded).all()
    return codes, decoded


def level_db(x: Audio) -> float:
    return float(10 * np.log10(np.mean(np.square(x, dtype=np.float64)) + 1e-20))


def snr_db(x: Audio, y: Audio) -> float:
    return level_db(x) - level_db(y - x)


def test_speech_is_recognisably_there(codec: Codec, speech: Audio) -> None:
    _, decoded = through(codec, speech)
    assert snr_db(speech, decoded) > 5.0
    assert abs(level_db(decoded) - level_db(speech)) < 2.0


@pytest.mark.parametrize("seconds", [0.02, 1.0, 3.0])
def test_silence_stays_silent(codec: Codec, seconds: float) -> None:
    _, decoded = through(codec, np.zeros(round(RATE * seconds), np.float32))
    assert level_db(decoded) < -60.0


def test_full_scale_does_not_become_noise(codec: Codec, speech: Audio) -> None:
    loud = speech / np.abs(speech).max()
    _, decoded = through(codec, loud)
    assert np.abs(decoded).max() <= 1.0
    assert snr_db(loud, decoded) > snr_db(speech, through(codec, speech)[1]) - 2.0


@pytest.mark.slow
def test_a_minute_is_no_worse_than_its_parts(codec: Codec, speech: Audio) -> None:
    minute = np.resize(speech, 60 * RATE)
    _, decoded = through(codec, minute)
    assert snr_db(minute, decoded) > 5.0


def test_codes_are_spread_over_the_codebook(codec: Codec, speech: Audio) -> None:
    """A collapsed quantizer reuses few codes: uniform draws would give almost all distinct."""
    codes, _ = through(codec, speech)
    (size,) = codec.spec.codebook_sizes
    expected = size * -np.expm1(codes.size * np.log1p(-1 / size))
    assert len(np.unique(codes)) / expected > 0.4
