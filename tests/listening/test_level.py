"""Loudness against what the recommendation says of known signals; gains that make it equal."""

from __future__ import annotations

import audio_fixtures
import numpy as np
import pytest

from sqbench.listening.level import gains, loudness


def _sine(hz: float, seconds: float, rate: int, dbfs: float) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return 10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * t)


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_a_sine_of_full_scale_has_what_the_recommendation_says(rate: int) -> None:
    # BS.1770-4, annex 1: 997 Hz at 0 dBFS in one front channel is -3.01 LKFS.
    assert loudness(_sine(997, 5, rate, 0.0), rate) == pytest.approx(-3.01, abs=0.02)


def test_gates() -> None:
    # EBU Tech 3341, cases 3 and 5, in one channel: what is 10 LU softer does not count.
    parts = [_sine(1000, s, 48000, level) for s, level in ((10, -36), (60, -23), (10, -36))]
    assert loudness(np.concatenate(parts), 48000) == pytest.approx(-23.0 - 3.01, abs=0.1)
    parts = [_sine(1000, s, 48000, level) for s, level in ((20, -26), (20.1, -20), (20, -26))]
    assert loudness(np.concatenate(parts), 48000) == pytest.approx(-23.0 - 3.01, abs=0.1)


def test_silence_and_very_short_clips() -> None:
    assert loudness(np.zeros(16000), 16000) is None
    assert loudness(_sine(1000, 0.05, 16000, -20), 16000) == pytest.approx(-23, abs=1)
    assert loudness(np.ones(1), 16000) is not None


def test_gains_make_versions_equally_loud() -> None:
    voice = audio_fixtures.babble(3.0)
    original, same, softer, silent, tiny = gains(
        [(x, 16000) for x in (voice, voice, 0.5 * voice, 0 * voice, 0.01 * voice)]
    )
    assert original.factor == same.factor == 1.0
    assert softer.factor == pytest.approx(2.0, rel=1e-3)
    assert softer.db == pytest.approx(6.02, abs=0.01)
    assert (silent.db, silent.factor) == (None, 1.0)
    assert "too soft" in silent.reason
    assert (tiny.db, tiny.factor) == (None, 1.0)
    assert "40 dB" in tiny.reason


def test_headroom_is_shared() -> None:
    voice = audio_fixtures.babble(3.0)
    loud = voice / np.abs(voice).max()
    spiky = 0.25 * loud
    spiky[100] = 1.0  # made four times as loud it would go to four
    original, matched = gains([(loud, 16000), (spiky, 16000)])
    assert matched.db == pytest.approx(12.04, abs=0.3)
    assert matched.factor == pytest.approx(1.0, abs=1e-9)
    assert original.factor == pytest.approx(0.25, rel=0.03)
