"""Rate classes, and the best of each."""

from __future__ import annotations

import pytest

from sqbench.report.best import CLASSES, Candidate, best, rate_class


@pytest.mark.parametrize(
    ("bps", "name"),
    [
        (970.0, "below 1 kb/s"),
        (984.0, "1 to 3 kb/s"),
        (2900.0, "1 to 3 kb/s"),
        (3000.0, "3 to 8 kb/s"),
        (8000.0, "8 to 16 kb/s"),
        (16200.0, "8 to 16 kb/s"),
        (16400.0, "above 16 kb/s"),
    ],
)
def test_rate_classes(bps: float, name: str) -> None:
    place = rate_class(bps)
    assert place is not None
    assert CLASSES[place] == name
    assert rate_class(None) is None


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
