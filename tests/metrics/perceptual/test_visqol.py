"""ViSQOL: equal to its package, and no number where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from metric_signals import damaged, noise, voice

from sqbench import audio
from sqbench.metrics import catalogue
from sqbench.metrics.base import Pair, Samples, Undefined
from sqbench.metrics.perceptual import gammatone, neurogram
from sqbench.metrics.perceptual.visqol import ViSQOL
from sqbench.metrics.perceptual.visqol_features import AUDIO, SPEECH
from sqbench.metrics.protocol import prepare

pytest.importorskip("visqol", reason="pip install 'sqbench[visqol]'")
pytest.importorskip("ai_edge_litert", reason="pip install 'sqbench[visqol]'")

MODES = {"visqol": AUDIO, "visqol-speech": SPEECH}


def pair(reference: Samples, estimate: Samples, rate: int = 16_000) -> Pair:
    return prepare(reference, rate, estimate, rate)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package's score of a pair; without its compiler, which takes longer than these clips."""
    from visqol import api, nsim, patch_selector
    from visqol import gammatone as theirs

    for module in (theirs, nsim, patch_selector):
        monkeypatch.setattr(module, "has_numba", lambda: False)

    def score(name: str, measured: Pair) -> float:
        visqol = api.VisqolApi()
        mode = "audio" if name == "visqol" else "speech"
        visqol.create(mode=mode, use_lattice_model=mode == "speech" or None)
        rate = MODES[name].rate
        reference, estimate = (
            audio.resample(side, measured.sample_rate, rate)
            for side in (measured.reference, measured.estimate)
        )
        return float(visqol.measure_from_arrays(reference, estimate, rate).moslqo)

    return score


def changed(kind: str) -> tuple[Samples, Samples]:
    clean = voice(1.8)
    if kind == "damaged":
        return clean, damaged(clean)
    if kind == "late":
        return clean, np.concatenate([np.zeros(173), damaged(clean)[:-173]])
    if kind == "early":
        return clean, np.concatenate([damaged(clean)[211:], np.zeros(211)])
    if kind == "stretched":  # parts are off by different lags
        return clean, np.concatenate([clean[:9000], np.zeros(90), clean[9000:-90]])
    return clean, 0.02 * noise(clean.shape[0])


@pytest.mark.parametrize("kind", ["damaged", "late", "early", "stretched", "noise"])
@pytest.mark.parametrize("name", MODES)
def test_as_the_package(name: str, kind: str, package: Any) -> None:
    measured = pair(*changed(kind))
    # The speech mode's lattice is float32: 1.9e-6 apart on a stretched clip with AVX2.
    near = pytest.approx(package(name, measured), abs=1e-5 if name == "visqol-speech" else 1e-6)
    assert catalogue.get(name).measure(measured) == near


def test_the_spectrogram_is_that_of_the_recursion() -> None:
    """Four sections after each other from rest, a frame at a time, as the definition has it."""
    from scipy import signal

    samples = voice(0.5)
    filters = gammatone.filters_for(16_000, 21, 8_000.0)
    found = gammatone.spectrogram(samples, filters)
    frames = [samples[i * 320 :][:1280] * filters.window for i in range(found.shape[1])]
    for band, hz in enumerate(gammatone.centres(21, 8_000.0)[::-1]):
        sections, _ = gammatone._cascade(float(hz), 16_000)
        direct = [np.sqrt(np.mean(np.square(signal.sosfilt(sections, f)))) for f in frames]
        assert found[band] == pytest.approx(direct, rel=1e-6, abs=1e-12)


def test_filters_pass_their_centre() -> None:
    """A tone at a centre frequency comes out as it went in; one far off does not."""
    filters = gammatone.filters_for(48_000, 32, 24_000.0)
    hz = gammatone.centres(32, 24_000.0)[::-1]
    tone = np.sin(2 * np.pi * hz[16] * np.arange(48_000) / 48_000)
    level = gammatone.spectrogram(tone, filters)[:, 20]
    windowed = np.sqrt(np.mean(np.square(filters.window)) / 2)
    assert level[16] == pytest.approx(windowed, rel=0.02)
    assert np.argmax(level) == 16
    assert level[0] < 1e-3 * windowed


def test_a_patch_is_found_where_it_lies() -> None:
    field = np.abs(noise(8 * 120).reshape(8, 120)) * 20
    patches = [field[:, 10:20], field[:, 50:60]]
    moved = np.concatenate([np.zeros((8, 7)), field], axis=1)
    assert neurogram.match(patches, [10, 50], moved) == [(17, False), (57, False)]
    assert neurogram.likeness(patches[0], moved[:, 17:27]).similarity == pytest.approx(1.0)


@pytest.mark.parametrize(("name", "value"), [("visqol", 4.732), ("visqol-speech", 4.5)])
def test_equal_signals(name: str, value: float) -> None:
    found = catalogue.get(name).measure(pair(voice(1.8), voice(1.8)))
    assert found == pytest.approx(value, abs=1e-3) if name == "visqol" else found > value


@pytest.mark.parametrize("name", MODES)
def test_level_does_not_matter(name: str) -> None:
    clean, other = changed("damaged")
    metric = catalogue.get(name)
    assert metric.measure(pair(clean, 7 * other)) == pytest.approx(
        metric.measure(pair(clean, other)), abs=1e-6
    )


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("side", ["reference", "estimate"])
@pytest.mark.parametrize("what", [0.0, 1e-5, 0.3])
def test_silence_and_constants(name: str, side: str, what: float) -> None:
    clean = voice(1.8)
    silent = np.full_like(clean, what)
    sides = (silent, clean) if side == "reference" else (clean, silent)
    with pytest.raises(Undefined, match=f"the {side} is silent"):
        catalogue.get(name).measure(pair(*sides))


@pytest.mark.parametrize(("name", "seconds"), [("visqol", 0.9), ("visqol-speech", 0.4)])
def test_short_clips(name: str, seconds: float) -> None:
    for length in (int(seconds * 16_000), 320):
        with pytest.raises(Undefined, match="shorter than"):
            catalogue.get(name).measure(pair(voice(1.0)[:length], noise(length)))


def test_at_8_khz_there_is_a_value() -> None:
    clean = audio.resample(voice(2.0), 16_000, 8_000)
    for name in MODES:
        low, high = catalogue.get(name).bounds
        assert low is not None
        assert high is not None
        assert low <= catalogue.get(name).measure(pair(clean, damaged(clean), 8_000)) <= high


def test_the_weights_are_part_of_the_identity() -> None:
    first, second = (catalogue.get(name).identity for name in MODES)
    assert ViSQOL.weights.sha256 in first
    assert "nu-svr" in first
    assert "lattice" in second
    assert first.rpartition(":")[2] != second.rpartition(":")[2]
