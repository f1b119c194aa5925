"""MEL against librosa, and its edges."""

from __future__ import annotations

import numpy as np
import pytest
from metric_oracles import mel_by_librosa
from metric_signals import damaged, noise, voice

from sqbench.metrics import mel as module
from sqbench.metrics.base import Samples, Undefined
from sqbench.metrics.mel import MEL, filterbank
from sqbench.metrics.protocol import prepare


def measure(reference: Samples, estimate: Samples, rate: int = 16000) -> float:
    return MEL().measure(prepare(reference, rate, estimate, rate))


@pytest.mark.parametrize("rate", [1500, 8000, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize(("n_fft", "n_mels"), [(2048, 150), (512, 80)], ids=["2048", "512"])
@pytest.mark.filterwarnings("ignore:Empty filters")
def test_filterbank_is_that_of_librosa(rate: int, n_fft: int, n_mels: int) -> None:
    librosa = pytest.importorskip("librosa")
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels)
    ours = filterbank(rate, n_fft, n_mels)
    assert ours.dtype == expected.dtype == np.float32
    assert ours == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("rate", [1500, 8000, 16000, 48000])
@pytest.mark.parametrize(("n_fft", "n_mels"), [(2048, 150), (512, 80)], ids=["2048", "512"])
def test_the_parts_make_up_the_filterbank(rate: int, n_fft: int, n_mels: int) -> None:
    whole = np.zeros((n_mels, n_fft // 2 + 1), dtype=np.float32)
    for filters, bins, weights in module._bands(rate, n_fft, n_mels):
        whole[filters, bins] += weights.T
    assert np.array_equal(whole, filterbank(rate, n_fft, n_mels))


@pytest.mark.parametrize("rate", [16000, 22050, 48000])
def test_equals_librosa(rate: int) -> None:
    pytest.importorskip("librosa")
    clean = voice(1.5, rate)
    for estimate in (damaged(clean), 0.5 * clean, clean + 0.01 * noise(clean.shape[0])):
        expected = mel_by_librosa(clean, estimate, rate)
        assert measure(clean, estimate, rate) == pytest.approx(expected, abs=3e-6)


def test_a_gain_is_known_by_analysis() -> None:
    """Loud noise above the floor: the log part is 2 * log10(gain) at both resolutions."""
    loud = noise(16_000)
    halved = measure(loud, 0.5 * loud)
    double = measure(loud, 2.0 * loud)
    log_part = 2 * 2 * np.log10(2)
    assert double - log_part == pytest.approx(2 * (halved - log_part), rel=1e-4)


def test_equal_signals_are_at_zero_and_sides_may_be_swapped() -> None:
    clean, bad = voice(1.0), damaged(voice(1.0))
    assert measure(clean, clean) == 0.0
    assert measure(clean, bad) == pytest.approx(measure(bad, clean), rel=1e-6)


def test_silence_is_finite() -> None:
    clean = voice(1.0)
    assert 1 < measure(clean, 0 * clean) < 20
    assert 1 < measure(0 * clean, clean) < 20


def test_the_shortest_clip() -> None:
    assert measure(noise(1025), noise(1025, 1)) > 0
    with pytest.raises(Undefined, match="1024 samples are too few"):
        measure(noise(1024), noise(1024, 1))


def test_blocks_do_not_change_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    clean = voice(2.0)
    whole = measure(clean, damaged(clean))
    monkeypatch.setattr(module, "_ELEMENTS", 3 * 2 * 2048)
    assert measure(clean, damaged(clean)) == pytest.approx(whole, abs=1e-7)
