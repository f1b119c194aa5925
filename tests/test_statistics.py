"""Intervals and paired differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sqbench.statistics import bootstrap, macro_mean, paired

RNG = np.random.default_rng(7)
SETS = [RNG.normal(5.0, 1.0, 40), RNG.normal(9.0, 2.0, 15)]


def test_macro_mean() -> None:
    assert macro_mean([np.array([1.0, 3.0]), np.array([]), np.array([10.0])]) == 6.0
    assert macro_mean([np.array([])]) is None


def test_equal_seeds_give_equal_intervals() -> None:
    assert bootstrap(SETS, seed=3) == bootstrap(SETS, seed=3)
    assert bootstrap(SETS, seed=3) != bootstrap(SETS, seed=4)


def test_interval_is_that_of_the_normal_theory() -> None:
    interval = bootstrap(SETS, n_boot=20_000)
    error = math.sqrt(sum(np.var(values) / len(values) for values in SETS)) / len(SETS)
    mean = macro_mean(SETS)
    assert interval.low is not None
    assert interval.high is not None
    assert mean is not None
    assert interval.low == pytest.approx(mean - 1.96 * error, abs=0.05 * error)
    assert interval.high == pytest.approx(mean + 1.96 * error, abs=0.05 * error)


def test_coverage_of_the_true_mean() -> None:
    rng = np.random.default_rng(11)
    hits = 0
    for trial in range(400):
        sets = [rng.normal(0.0, 1.0, 30), rng.exponential(1.0, 30)]
        interval = bootstrap(sets, n_boot=400, seed=trial)
        assert interval.low is not None
        assert interval.high is not None
        hits += interval.low <= 0.5 <= interval.high
    # 95 % in the limit; 93 % is what 30 of each give. 400 trials have a standard error of 1.3 %.
    assert 0.89 <= hits / 400 <= 0.97


def test_resampling_does_not_depend_on_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bootstrap(SETS)
    monkeypatch.setattr("sqbench.statistics._CHUNK", 100)
    assert bootstrap(SETS) == whole


@pytest.mark.parametrize(
    ("sets", "reason"),
    [
        ([], "no value"),
        ([np.array([])], "no value"),
        ([np.array([1.0]), np.array([2.0])], "one utterance a dataset has no spread"),
    ],
    ids=["nothing", "empty", "single"],
)
def test_no_interval_where_the_data_cannot_tell(sets: list[np.ndarray], reason: str) -> None:
    interval = bootstrap(sets)
    assert (interval.low, interval.high, interval.reason) == (None, None, reason)


def test_one_single_dataset_among_larger_ones_is_remarked() -> None:
    interval = bootstrap([SETS[0], np.array([3.0])])
    assert interval.low is not None
    assert "1 of 2 datasets" in interval.reason


def test_equal_values_give_an_interval_of_no_width() -> None:
    interval = bootstrap([np.full(5, 2.5), np.full(3, 1.5)])
    assert (interval.low, interval.high, interval.reason) == (2.0, 2.0, "")


@pytest.mark.parametrize("higher", [True, False], ids=["higher", "lower"])
def test_paired_counts(higher: bool) -> None:
    a = np.array([1.0, 2.0, 3.0, 4.0])
    b = np.array([0.0, 2.0, 5.0, 1.0])
    result = paired([(a, b)], higher_is_better=higher)
    assert (result.wins, result.losses, result.ties) == ((2, 1, 1) if higher else (1, 2, 1))
    assert result.win_rate == (0.625 if higher else 0.375)
    assert result.difference == pytest.approx(0.5)


def test_pairing_narrows_what_is_common() -> None:
    clip = RNG.normal(0.0, 5.0, 50)  # hard and easy clips, for both codecs
    a, b = clip + RNG.normal(0.3, 0.1, 50), clip
    interval = paired([(a, b)], higher_is_better=True).interval
    assert interval.low is not None
    assert interval.high is not None
    assert 0.2 < interval.low < interval.high < 0.4


def test_paired_is_symmetric() -> None:
    pairs = [(values, values[::-1] * 1.1) for values in SETS]
    one = paired(pairs, higher_is_better=True)
    two = paired([(b, a) for a, b in pairs], higher_is_better=True)
    assert one.difference == pytest.approx(-(two.difference or 0.0), abs=1e-12)
    assert one.interval.low == pytest.approx(-(two.interval.high or 0.0), abs=1e-9)
    assert one.interval.high == pytest.approx(-(two.interval.low or 0.0), abs=1e-9)
    assert (one.wins, one.losses, one.ties) == (two.losses, two.wins, two.ties)
    assert (one.win_rate or 0.0) + (two.win_rate or 0.0) == pytest.approx(1.0)


def test_no_pairs() -> None:
    result = paired([], higher_is_better=True)
    assert (result.difference, result.n, result.win_rate) == (None, 0, None)
    assert result.interval.reason == "no value"


def test_sets_are_drawn_apart() -> None:
    """Drawn alike, a set and its negative would cancel in every resample."""
    values = RNG.normal(0.0, 1.0, 25)
    found = bootstrap([values, -values])
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low > 0.1


def test_a_sets_draws_do_not_depend_on_the_sets_before_it() -> None:
    """A constant set adds no spread, however large it is."""
    few, many = (bootstrap([np.full(n, 2.0), SETS[1]]) for n in (2, 50))
    assert few.low == pytest.approx(many.low, abs=1e-12)
    assert few.high == pytest.approx(many.high, abs=1e-12)
