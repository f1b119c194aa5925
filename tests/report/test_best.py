"""Rate classes, and the best of each."""

from __future__ import annotations

import pytest

from sqbench.published import rows as paper
from sqbench.report.best import EDGES_BPS, Candidate, best, rate_class


@pytest.mark.parametrize(
    ("one", "other"), [(5989, 6000), (984, 1000), (750, 689), (3000, 3200), (12000, 13200)]
)
def test_like_rates_are_of_one_class(one: float, other: float) -> None:
    assert rate_class(one) == rate_class(other)


@pytest.mark.parametrize(("low", "high"), [(750, 1500), (1500, 3000), (3000, 6000), (6000, 12000)])
def test_twice_the_rate_is_another_class(low: float, high: float) -> None:
    assert rate_class(low) != rate_class(high)


def test_no_published_rate_is_at_an_edge() -> None:
    rates = [row.bitrate_bps for row in paper.table1() if row.bitrate_bps]
    assert min(abs(rate / edge - 1) for rate in rates for edge in EDGES_BPS) > 0.05


def one(row: int, value: float, rate: int | None, scored: int = 4) -> Candidate:
    return Candidate(row=row, value=value, scored=scored, rate=rate)


def test_each_class_has_its_best() -> None:
    found = [one(0, 1.0, 0), one(1, 2.0, 0), one(2, 3.0, 1), one(3, 5.0, 1), one(4, 9.0, 2)]
    assert best(found, "higher", "rate") == {1, 3}  # row 4 has nobody to beat
    assert best(found, "lower", "rate") == {0, 2}
    assert best(found, "higher", "all") == {4}


def test_unknown_rates_are_a_class() -> None:
    found = [one(0, 1.0, None), one(1, 2.0, None), one(2, 3.0, 0)]
    assert best(found, "higher", "rate") == {1}


def test_nothing_has_no_best() -> None:
    assert best([], "higher", "rate") == set()
