"""SDR against analysis, least squares in the time domain, and mir_eval."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from metric_oracles import sdr_by_least_squares, sdr_by_mir_eval
from metric_signals import damaged, noise, voice

from sqbench.metrics import sdr as module
from sqbench.metrics.base import Samples, Undefined
from sqbench.metrics.protocol import PROTOCOLS, STRICT, prepare
from sqbench.metrics.sdr import SDR, sdr


def measure(reference: Samples, estimate: Samples, protocol: str = "slt2024") -> float:
    return SDR().measure(prepare(reference, 16000, estimate, 16000, protocol))


@pytest.mark.parametrize("level_db", [0.0, 20.0, 50.0])
def test_noise_of_a_known_level(level_db: float) -> None:
    """The filter explains 512 of the 160 000 dimensions of independent noise: 0.01 dB."""
    clean = noise(160_000)
    value = measure(clean, clean + 10 ** (-level_db / 20) * noise(160_000, 1))
    assert value == pytest.approx(level_db, abs=0.05)


@pytest.mark.parametrize("gain", [0.01, -1.0, 7.0])
def test_gain_and_polarity_do_not_matter(gain: float) -> None:
    clean = voice(1.0)
    assert measure(clean, gain * damaged(clean)) == pytest.approx(
        measure(clean, damaged(clean)), abs=1e-9
    )


def test_delay_is_forgiven_and_advance_is_not() -> None:
    clean = noise(16_000)
    late = np.concatenate([np.zeros(5), clean[:-5]])
    early = np.concatenate([clean[5:], np.zeros(5)])
    assert measure(clean, late) > 30
    assert measure(clean, early) < 1


CASES: dict[str, Callable[[Samples], Samples]] = {
    "damaged": lambda x: damaged(x),
    "noisy-60dB": lambda x: x + 1e-3 * np.std(x) * noise(x.shape[0], 3),
    "noisy-85dB": lambda x: x + 5e-5 * np.std(x) * noise(x.shape[0], 3),
    "independent": lambda x: noise(x.shape[0], 4),
    "quantised": lambda x: np.round(x * 64) / 64,
}
REFERENCES: dict[str, Callable[[], Samples]] = {
    "voice": lambda: voice(2.0),
    "white": lambda: noise(20_000),
    "short": lambda: noise(300),
    "tone": lambda: np.sin(0.17 * np.arange(20_000)),
    "smooth": lambda: np.convolve(noise(20_000), np.hanning(200), "same"),
    "constant": lambda: np.full(5000, 0.1),
    "impulse": lambda: np.eye(1, 3000)[0],
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("reference", REFERENCES)
def test_equals_mir_eval(reference: str, case: str) -> None:
    clean = REFERENCES[reference]()
    estimate = CASES[case](clean)
    expected = sdr_by_mir_eval(clean, estimate)
    if expected > 100:
        assert sdr(clean, estimate) > 100
    else:
        assert sdr(clean, estimate) == pytest.approx(expected, abs=1e-5 if expected > 60 else 1e-7)


@pytest.mark.parametrize("length", [200, 1500, 5000])
def test_equals_least_squares_in_the_time_domain(length: int) -> None:
    clean = noise(length)
    estimate = np.tanh(clean) + 0.3 * noise(length, 1)
    assert sdr(clean, estimate) == pytest.approx(sdr_by_least_squares(clean, estimate), abs=1e-9)


def test_blocks_do_not_change_the_correlations() -> None:
    x, y = noise(10_000), noise(10_000, 1)
    g, d = module.correlations(x, y)
    padded_x, padded_y = (np.concatenate([s, np.zeros(511)]) for s in (x, y))
    assert g == pytest.approx([x @ padded_x[k : k + 10_000] for k in range(512)], abs=1e-9)
    assert d == pytest.approx([x @ padded_y[k : k + 10_000] for k in range(512)], abs=1e-9)


@pytest.mark.parametrize("change", [1.0, 0.5, 1 + 1e-9], ids=["equal", "halved", "gain"])
def test_identical_has_no_value_but_in_strict(change: float) -> None:
    clean = voice(1.0)
    with pytest.raises(Undefined, match=r"^identical") as caught:
        measure(clean, change * clean)
    assert caught.value.identical
    assert measure(clean, change * clean, STRICT) > 100


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 0)], ids=["reference", "estimate"])
def test_silence_has_no_value(first: int, second: int, protocol: str) -> None:
    x = noise(2000)
    with pytest.raises(Undefined, match="silent"):
        measure(first * x, second * x, protocol)


def test_one_sample_is_enough_for_a_value() -> None:
    single = np.zeros(5000)
    single[2000] = 0.5
    assert sdr(noise(5000), single) == pytest.approx(sdr_by_mir_eval(noise(5000), single), abs=1e-6)


def test_an_estimate_that_ends_before_the_reference_starts_has_no_value() -> None:
    reference, estimate = np.zeros(4000), np.zeros(4000)
    reference[3000:], estimate[:1000] = noise(1000), noise(1000, 1)
    with pytest.raises(Undefined, match="nothing of the estimate"):
        measure(reference, estimate)


def test_a_pair_of_one_sample() -> None:
    with pytest.raises(Undefined, match="identical"):
        measure(np.array([0.3]), np.array([0.2]))
