"""Deltas between lines: of which clips, with which intervals, and why there is none."""

from __future__ import annotations

import numpy as np
import pytest

from sqbench.pages.bjontegaard import rate_delta
from sqbench.pages.deltas import LineDelta, deltas
from sqbench.pages.matrix import Matrix, Values

BITS = {"a1": 1e3, "a2": 2e3, "a3": 4e3, "b1": 1e3, "b2": 2e3, "b3": 4e3, "c": 3e3}
LINES = {name: name[0] for name in BITS}


def found(values: Values, n: int = 20) -> Matrix:
    return Matrix(
        labels=tuple(BITS),
        utterances=tuple(map(str, range(n))),
        datasets=np.repeat([0, 1], n // 2),
        values=values,
    )


def values(n: int = 20) -> Values:
    """Line b is as good as line a at half the bits; clips differ alike for all."""
    clip = np.random.default_rng(0).normal(0, 0.3, n)
    quality = {"a1": 1.0, "a2": 2.0, "a3": 3.0, "b1": 2.0, "b2": 3.0, "b3": 4.0, "c": 2.5}
    noise = np.random.default_rng(1).normal(0, 0.05, (len(BITS), n))
    return np.array([[q] for q in quality.values()]) + clip + noise


def one(all_of: list[LineDelta], anchor: str, test: str) -> LineDelta:
    (it,) = (each for each in all_of if (each.anchor, each.test) == (anchor, test))
    return it


def test_lines_of_several_points_both_ways() -> None:
    made = deltas(found(values()), BITS, LINES, higher_is_better=True)
    assert {(each.anchor, each.test) for each in made} == {("a", "b"), ("b", "a")}
    forth, back = one(made, "a", "b"), one(made, "b", "a")
    assert forth.rate.value is not None
    assert back.rate.value is not None
    assert forth.rate.value == pytest.approx(-50, abs=2)
    assert 1 + back.rate.value / 100 == pytest.approx(1 / (1 + forth.rate.value / 100))
    assert forth.quality.value == pytest.approx(1.0, abs=0.05)
    interval = forth.rate.interval
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low < forth.rate.value < interval.high
    # What clips have in common does not widen it: codecs are resampled together.
    assert interval.high - interval.low < 5
    assert (forth.points, forth.clips) == ((3, 3), 20)
    assert forth.shared_quality == pytest.approx(1 / 3, abs=0.05)
    assert forth.shared_rate == 1.0


def test_a_distance_is_better_when_it_is_lower() -> None:
    made = one(deltas(found(-values()), BITS, LINES, higher_is_better=False), "a", "b")
    assert made.rate.value == pytest.approx(-50, abs=2)
    assert made.quality.value == pytest.approx(-1.0, abs=0.05)


def test_only_clips_that_all_points_have() -> None:
    some = values()
    some[0, :5] = np.nan
    some[0, 5:] = 1.0
    made = one(deltas(found(some), BITS, LINES, higher_is_better=True), "a", "b")
    assert made.clips == 15
    weights = np.array([1 / 10] * 5 + [1 / 20] * 10)  # two datasets, of 5 clips and of 10
    means = some[:, 5:] @ weights
    bits = np.array([1e3, 2e3, 4e3])
    assert made.rate.value == pytest.approx(float(rate_delta(bits, means[:3], bits, means[3:6])))
    some[1] = np.nan
    assert not [d for d in deltas(found(some), BITS, LINES, higher_is_better=True) if d.clips > 20]


def test_no_clip_in_common() -> None:
    some = values()
    some[0, :10] = np.nan
    some[3, 10:] = np.nan
    made = one(deltas(found(some), BITS, LINES, higher_is_better=True), "a", "b")
    assert (made.rate.value, made.rate.reason) == (None, "no clip in common")


def test_a_quality_that_falls_has_no_rate() -> None:
    some = values()
    some[1] -= 2.0
    made = one(deltas(found(some), BITS, LINES, higher_is_better=True), "a", "b")
    assert (made.rate.value, made.rate.reason) == (None, "quality does not rise with the bits")
    assert made.quality.value is not None


def test_qualities_far_apart() -> None:
    some = values()
    some[3:6] += 10
    made = one(deltas(found(some), BITS, LINES, higher_is_better=True), "a", "b")
    assert (made.rate.value, made.rate.reason) == (None, "no quality in common")


def test_an_interval_that_resamples_often_lack_is_not_given() -> None:
    some = values()
    some[1] = some[0] + np.where(np.arange(20) % 2, 1.0, -0.98)  # rises by a hair
    made = one(deltas(found(some), BITS, LINES, higher_is_better=True), "a", "b")
    assert made.rate.value is not None
    assert made.rate.interval.low is None
    assert "of resamples" in made.rate.interval.reason
