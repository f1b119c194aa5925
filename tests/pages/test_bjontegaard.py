"""Bjøntegaard's deltas beside an independent package, SciPy's curves, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.interpolate import Akima1DInterpolator, PchipInterpolator

from sqbench.pages import bjontegaard as ours
from sqbench.pages.bjontegaard import METHODS, Method

Values = NDArray[np.float64]
CURVES = {  # kb/s and dB of x265 at two presets, from the README of PyPI's bjontegaard 1.3.0
    "anchor": ([9487.76, 4593.60, 2486.44, 1358.24], [40.037, 38.615, 36.845, 34.851]),
    "test": ([9787.80, 4469.00, 2451.52, 1356.24], [40.121, 38.651, 36.970, 34.987]),
}
RECORDED: dict[Method, tuple[float, float]] = {
    "pchip": (-4.417485350589, 0.119692785425),
    "akima": (-4.425245156998, 0.119409270285),
}
"""Percent and dB that version 1.3.0 of that package gives for them."""


def curve(name: str) -> tuple[Values, Values]:
    rate, quality = CURVES[name]
    return np.array(rate[::-1]), np.array(quality[::-1])


def random_curves(n: int, seed: int) -> tuple[Values, Values]:
    """Of 1 to 10 kb/s and a quality of 1 to 4, about; any two of them have a range in common."""
    rng = np.random.default_rng(seed)
    rate, quality = np.cumsum(rng.uniform(0.1, 1.0, (2, n)), axis=1)
    ends = 1.0 + rng.uniform(-0.2, 0.2, 2)
    rate = (rate - rate[0]) / (rate[-1] - rate[0])
    quality = (quality - quality[0]) / (quality[-1] - quality[0])
    return 1000 * ends[0] * 10**rate, ends[1] + 3 * quality


@pytest.mark.parametrize("method", METHODS)
def test_published_curves(method: Method) -> None:
    percent, db = RECORDED[method]
    assert ours.rate_delta(*curve("anchor"), *curve("test"), method) == pytest.approx(
        percent, rel=1e-9
    )
    assert ours.quality_delta(*curve("anchor"), *curve("test"), method) == pytest.approx(
        db, rel=1e-9
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sizes", [(2, 2), (3, 3), (4, 4), (4, 7), (9, 5)], ids=str)
def test_as_the_independent_package(method: Method, sizes: tuple[int, int]) -> None:
    theirs = pytest.importorskip("bjontegaard", reason="make browser installs it")
    for seed in range(5):
        a, b = random_curves(sizes[0], seed), random_curves(sizes[1], 100 + seed)
        options = {"method": method, "require_matching_points": False}
        rate = theirs.bd_rate(*a, *b, min_overlap=0, **options)
        quality = theirs.bd_psnr(*a, *b, min_overlap=0, **options)
        assert ours.rate_delta(*a, *b, method) == pytest.approx(rate, rel=1e-9)
        assert ours.quality_delta(*a, *b, method) == pytest.approx(quality, rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_as_scipys_curves_by_quadrature(method: Method) -> None:
    make = {"pchip": PchipInterpolator, "akima": Akima1DInterpolator}[method]
    (rate1, q1), (rate2, q2) = random_curves(5, 1), random_curves(6, 2)
    q2[3] = q2[2]  # a plateau, and a fall after it
    q2[4] = q2[2] - 0.1
    low, high = max(rate1[0], rate2[0]), min(rate1[-1], rate2[-1])
    one, two = make(np.log10(rate1), q1), make(np.log10(rate2), q2)
    inside = np.log10([r for r in (*rate1, *rate2) if low < r < high])
    area, _ = quad(
        lambda x: two(x) - one(x), np.log10(low), np.log10(high), points=inside, limit=200
    )
    wanted = area / (np.log10(high) - np.log10(low))
    assert ours.quality_delta(rate1, q1, rate2, q2, method) == pytest.approx(wanted, rel=1e-8)
    assert np.isnan(ours.rate_delta(rate1, q1, rate2, q2, method))


@pytest.mark.parametrize("method", METHODS)
def test_half_the_bits_for_everything(method: Method) -> None:
    rate, quality = random_curves(5, 3)
    assert ours.rate_delta(rate, quality, rate / 2, quality, method) == pytest.approx(-50.0)
    assert ours.quality_delta(rate, quality, rate, quality + 0.3, method) == pytest.approx(0.3)


@pytest.mark.parametrize("method", METHODS)
def test_many_at_once_are_each_by_itself(method: Method) -> None:
    rng = np.random.default_rng(4)
    (rate1, q1), (rate2, q2) = random_curves(4, 5), random_curves(5, 6)
    many1, many2 = q1 + rng.normal(0, 0.2, (50, 4)), q2 + rng.normal(0, 0.2, (50, 5))
    together = ours.rate_delta(rate1, many1, rate2, many2, method)
    alone = [ours.rate_delta(rate1, a, rate2, b, method) for a, b in zip(many1, many2, strict=True)]
    np.testing.assert_allclose(together, alone)
    rises = np.all(np.diff(many1) > 0, axis=1) & np.all(np.diff(many2) > 0, axis=1)
    assert 0 < rises.sum() < 50
    np.testing.assert_array_equal(np.isfinite(together), rises)


def test_nothing_in_common_is_no_number() -> None:
    rate, quality = np.array([1e3, 2e3, 4e3]), np.array([1.0, 2.0, 3.0])
    assert np.isnan(ours.rate_delta(rate, quality, rate, quality + 5))
    assert np.isnan(ours.quality_delta(rate, quality, rate * 10, quality))
    assert ours.overlap(quality, quality + 5) == 0.0
    assert ours.overlap(quality, quality + 1) == pytest.approx(1 / 3)
