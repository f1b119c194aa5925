"""Every codec that runs without weights keeps the contract."""

from __future__ import annotations

import audio_fixtures
import numpy as np
import pytest

from sqbench_codecs import CODECS, Codec, load_codec, num_bits

NAMES = [e.name for e in CODECS if e.weights is None]
LENGTHS = (16000, 9001, 1, 321, 960)


def installed(name: str) -> Codec:
    """The codec, or a skip where an extra of its family is not installed."""
    if missing := CODECS.get(name).missing():
        pytest.skip(f"{name} needs {', '.join(missing)}")
    return load_codec(name)


@pytest.mark.parametrize("name", NAMES)
def test_lengths_codes_and_batches(name: str) -> None:
    codec = installed(name)
    rate = codec.spec.sample_rate or 16000
    audio = [
        audio_fixtures.babble(2.0, rate, seed=i)[:n].astype(np.float32)
        for i, n in enumerate(LENGTHS)
    ]
    codes = codec.encode(audio)
    decoded = codec.decode(codes, [len(x) for x in audio])
    for x, c, y in zip(audio, codes, decoded, strict=True):
        assert c.dtype == np.int64
        assert c.shape[0] == codec.spec.num_codebooks
        for book, size in zip(c, codec.spec.codebook_sizes, strict=True):
            assert 0 <= book.min() <= book.max() < size
        assert y.shape == x.shape
        assert y.dtype == np.float32
        alone = codec.encode([x])[0]
        np.testing.assert_array_equal(alone, c)
        np.testing.assert_array_equal(codec.decode([alone], [len(x)])[0], y)


@pytest.mark.parametrize("name", NAMES)
def test_measured_bits_are_nominal_bits_on_long_audio(name: str) -> None:
    codec = installed(name)
    if codec.spec.bitrate_bps is None or codec.spec.sample_rate is None:
        pytest.skip("has no nominal bitrate")
    seconds = 20
    x = audio_fixtures.babble(seconds, codec.spec.sample_rate).astype(np.float32)
    bits = num_bits(codec.encode([x])[0], codec.spec.codebook_sizes)
    assert bits / seconds == pytest.approx(codec.spec.bitrate_bps, rel=0.01)


def test_identity_is_exact_also_out_of_range() -> None:
    codec = load_codec("identity")
    x = np.array([0.0, -0.0, 1.7, -3e-39, 0.1], np.float32)
    np.testing.assert_array_equal(codec.decode(codec.encode([x]), [5])[0], x)


def test_mulaw_is_within_half_a_step_and_keeps_silence() -> None:
    codec = load_codec("mulaw-8")
    x = np.linspace(-1, 1, 4001).astype(np.float32)
    y = codec.decode(codec.encode([x]), [len(x)])[0]
    # The step at amplitude a is d/dy of (256^|y| - 1) / 255 over 127 steps.
    step = np.log(256) / 127 * (np.abs(x) + 1 / 255)
    assert np.all(np.abs(x - y) <= 0.51 * step)
    assert codec.decode(codec.encode([np.zeros(9, np.float32)]), [9])[0].any() == np.False_


def test_opus_is_aligned_and_better_with_more_bits() -> None:
    x = audio_fixtures.babble(3.0, 48000).astype(np.float32)
    snr = []
    for name in ("opus-12k", "opus-24k"):
        codec = load_codec(name)
        y = codec.decode(codec.encode([x]), [len(x)])[0]
        lag = int(np.argmax(np.correlate(y[20000:40000], x[20200:39800], "valid"))) - 200
        assert abs(lag) <= 6
        snr.append(10 * np.log10(np.sum(x**2) / np.sum((x - y) ** 2)))
    assert snr[1] > snr[0] > 3.0


def test_opus_takes_audio_beyond_full_scale() -> None:
    codec = load_codec("opus-24k")
    x = 3.0 * audio_fixtures.babble(0.5, 48000).astype(np.float32)
    assert np.isfinite(codec.decode(codec.encode([x]), [len(x)])[0]).all()
