"""Reference lines against the tables of the literature and against themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from sqbench.quantization import bounds
from sqbench.quantization.sources import CORRELATION, DEGREES

MAX_1960 = {1: 0.36338, 2: 0.11748, 3: 0.03455, 4: 0.00950, 5: 0.00250}
"""Lloyd-Max MSE by bits (Max 1960; Jayant & Noll, table 4.3)."""
ODD = {3: 7.208, 5: 10.972, 7: 13.565, 9: 15.551, 17: 20.723}


@pytest.mark.parametrize(("bits", "mse"), MAX_1960.items())
def test_lloyd_max_reproduces_the_tables(bits: int, mse: float) -> None:
    found = bounds.lloyd_max(2**bits)
    assert found.snr_db == pytest.approx(bounds.decibels(mse), abs=0.01)
    assert found.entropy_bits <= bits + 1e-9


@pytest.mark.parametrize(("count", "snr_db"), ODD.items())
def test_lloyd_max_of_odd_counts(count: int, snr_db: float) -> None:
    assert bounds.lloyd_max(count).snr_db == pytest.approx(snr_db, abs=0.01)


@pytest.mark.parametrize(
    ("bits", "mse", "step"),
    [(1, 0.36338, 1.5958), (2, 0.11885, 0.9957), (3, 0.03744, 0.5860), (4, 0.01154, 0.3352)],
)
def test_best_uniform_reproduces_the_tables(bits: int, mse: float, step: float) -> None:
    found, width = bounds.best_uniform(2**bits)
    assert found.mse == pytest.approx(mse, rel=1e-3)
    assert width == pytest.approx(step, rel=1e-3)


def test_lines_are_in_order() -> None:
    for bits in range(1, 6):
        uniform, optimal = bounds.best_uniform(2**bits)[0], bounds.lloyd_max(2**bits)
        assert uniform.snr_db <= optimal.snr_db + 1e-9 < bounds.shannon_gaussian_db(bits)
    # Panter and Dite: at high rate 4.35 dB below Shannon.
    gap = bounds.shannon_gaussian_db(7) - bounds.lloyd_max(128).snr_db
    assert gap == pytest.approx(4.35, abs=0.15)
    assert bounds.shannon_uniform_db(2) - bounds.DB_PER_BIT * 2 == pytest.approx(1.533, abs=1e-3)


def test_vector_quantizer_beats_scalars_of_its_rate() -> None:
    found = bounds.measured_vector_db("gaussian", 4, 16)
    assert found == pytest.approx(bounds.vector_db("gaussian", 4, 16), abs=0.01)
    assert bounds.lloyd_max(2).snr_db < found < bounds.shannon_gaussian_db(1)


@pytest.mark.slow
def test_vector_quantizer_of_256_codes() -> None:
    found = bounds.measured_vector_db("gaussian", 4, 256)
    assert found == pytest.approx(bounds.vector_db("gaussian", 4, 256), abs=0.01)


def test_kmeans_of_separate_points_is_exact() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.eye(6).repeat(5, 1)
    centres, error = bounds.kmeans(points, 6, restarts=200, generator=generator)
    assert error == pytest.approx(0, abs=1e-6)
    assert centres.sum() == pytest.approx(6)
    assert math.isinf(bounds.decibels(0.0))


def test_kmeans_of_alphabets() -> None:
    """8 components: 4 bits coded by 2 have 3.3 dB, 6 by 4 have 4.7 dB, over alphabets."""
    for bits, rate, expected in ((4, 2, 3.27), (6, 4, 4.67)):
        found = []
        for seed in range(8):
            points = torch.randn(2**bits, 8, generator=torch.Generator().manual_seed(seed))
            points /= points.square().mean().sqrt()
            found.append(bounds.alphabet_db(points, 2**rate, seed))
        assert sum(found) / len(found) == pytest.approx(expected, abs=0.2)


def test_bound_of_correlated_frames() -> None:
    """With all components coded: the covariance's determinant, (1 - a^2)^3 of four samples."""
    a, rate = CORRELATION, 4.0
    expected = bounds.DB_PER_BIT * rate - 10 * 0.75 * math.log10(1 - a * a)
    assert bounds.shannon_correlated_db(rate, 4) == pytest.approx(expected, abs=1e-6)
    # At low rates only the strongest component is: the others' power is lost.
    powers = np.linalg.eigvalsh([[a ** abs(i - j) for j in range(4)] for i in range(4)])
    lost = (powers[:3].sum() + powers[3] * 2 ** (-2 * 0.5)) / 4
    assert bounds.shannon_correlated_db(0.125, 4) == pytest.approx(bounds.decibels(lost), abs=1e-6)
    whole = bounds.shannon_gaussian_db(rate) - 10 * math.log10(1 - a * a)
    assert bounds.shannon_gaussian_db(rate) < expected < whole


def test_bound_of_student_frames() -> None:
    """One component, against the entropy integrated; more degrees of freedom come near normal."""
    grid = np.linspace(-400, 400, 4_000_001)
    density = stats.t(df=DEGREES, scale=math.sqrt(1 - 2 / DEGREES)).pdf(grid)
    entropy = -np.trapezoid(density * np.log2(density), grid)
    expected = 10 * math.log10(2 * math.pi * math.e) - bounds.DB_PER_BIT * entropy
    assert bounds.shannon_student_db(0.0, 1) == pytest.approx(expected, abs=1e-3)
    assert bounds.shannon_student_db(1.0, 4) > bounds.shannon_gaussian_db(1.0)
    assert bounds.shannon_db("uniform", 4, 2) == bounds.shannon_uniform_db(2)


@pytest.mark.parametrize("source", ["gaussian", "correlated", "student"])
def test_trained_codes_are_below_the_bound(source: str) -> None:
    found = bounds.measured_vector_db(source, 4, 16)
    assert found == pytest.approx(bounds.vector_db(source, 4, 16), abs=0.02)
    assert found < bounds.shannon_db(source, 4, 1)
