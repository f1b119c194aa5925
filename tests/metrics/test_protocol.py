"""How a pair is prepared: rates, channels, lengths, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from metric_signals import noise

from sqbench import audio
from sqbench.metrics.base import Undefined
from sqbench.metrics.protocol import DEFAULT, PROTOCOLS, STRICT, prepare
from sqcodec.errors import InputError


@pytest.mark.parametrize(
    ("rate", "to_rate"),
    [(24000, 16000), (16000, 48000), (44100, 16000), (48000, 44100), (16000, 22050), (8000, 16000)],
    ids=lambda rate: str(rate),
)
@pytest.mark.parametrize("length", [12345, 7], ids=["long", "short"])
def test_the_estimate_is_resampled_as_librosa_does_bit_for_bit(
    rate: int, to_rate: int, length: int
) -> None:
    librosa = pytest.importorskip("librosa")
    estimate = noise(length)
    pair = prepare(noise(10 * length), to_rate, estimate, rate)
    expected = librosa.resample(estimate, orig_sr=rate, target_sr=to_rate)
    assert pair.estimate.shape == expected.shape
    assert np.array_equal(pair.estimate, expected)
    assert (pair.sample_rate, pair.estimate_rate) == (to_rate, rate)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_reference_is_never_resampled(protocol: str) -> None:
    reference = noise(1000)
    pair = prepare(reference, 16000, noise(3000), 48000, protocol)
    assert np.array_equal(pair.reference, reference)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("first", "second"), [(900, 1000), (1000, 900)], ids=["long", "short"])
def test_both_are_cut_to_the_shorter_and_keep_channel_0(
    first: int, second: int, protocol: str
) -> None:
    reference, estimate = noise(2 * first).reshape(-1, 2), noise(3 * second, 1).reshape(-1, 3)
    pair = prepare(reference, 16000, estimate, 16000, protocol)
    assert np.array_equal(pair.reference, reference[:900, 0])
    assert np.array_equal(pair.estimate, estimate[:900, 0])


def test_a_multichannel_estimate_is_resampled_along_time() -> None:
    stereo = noise(6000).reshape(-1, 2)
    pair = prepare(noise(5000), 16000, stereo, 48000)
    assert np.array_equal(pair.estimate, audio.resample(stereo[:, 0].copy(), 48000, 16000))


@pytest.mark.parametrize("to_rate", [16000, 24000, 44100, 96000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_strict_resamples_the_last_axis(channels: int, to_rate: int) -> None:
    librosa = pytest.importorskip("librosa")
    frames = noise(200 * channels).reshape(-1, channels)
    pair = prepare(noise(5000), to_rate, frames, 48000, STRICT)
    expected = librosa.resample(frames, orig_sr=48000, target_sr=to_rate)[:, 0]
    assert pair.estimate == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("reference", "estimate", "reason"),
    [
        (np.zeros(0), noise(10), "the reference is empty"),
        (noise(10), np.zeros((0, 2)), "the estimate is empty"),
        (np.full(10, np.nan), noise(10), "the reference has 10 of 10 samples NaN"),
        (noise(10), np.array([0.1, np.inf]), "the estimate has 1 of 2 samples NaN or infinite"),
    ],
    ids=["empty-reference", "empty-estimate", "nan-reference", "infinite-estimate"],
)
def test_what_no_metric_can_measure(
    reference: np.ndarray, estimate: np.ndarray, reason: str
) -> None:
    with pytest.raises(Undefined, match=reason):
        prepare(reference, 16000, estimate, 16000)


def test_nan_that_is_cut_away_does_not_matter() -> None:
    estimate = np.concatenate([noise(100), [np.nan]])
    assert prepare(noise(100), 16000, estimate, 16000).estimate.shape == (100,)


def test_float32_is_taken_as_it_is() -> None:
    pair = prepare(noise(10).astype(np.float32), 16000, noise(10), 16000)
    assert pair.reference.dtype == np.float64


@pytest.mark.parametrize(
    ("reference", "rate", "protocol", "message"),
    [
        (np.zeros(10, np.int16), 16000, DEFAULT, "Divide 16-bit integers by 32768"),
        (np.zeros((1, 1000)), 16000, DEFAULT, "time first"),
        (np.zeros((2, 3, 4)), 16000, DEFAULT, "time first"),
        (np.zeros(10), 0, DEFAULT, "reference sample rate"),
        (np.zeros(10), 22050.5, DEFAULT, "reference sample rate"),
        (np.zeros(10), 16000, "official", "slt2024, slt2024-strict"),
    ],
    ids=["integers", "channels-first", "batch", "rate-zero", "rate-fraction", "protocol"],
)
def test_arguments_that_cannot_be_used(
    reference: np.ndarray, rate: int, protocol: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        prepare(reference, rate, noise(10), 16000, protocol)
