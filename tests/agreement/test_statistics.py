"""Agreement against scipy and against resamples that are written out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sqbench.agreement.statistics import Agreement, agreement

RNG = np.random.default_rng(3)
ITEMS = [f"i{i}" for i in range(6) for _ in range(4)]
CONDITIONS = [f"c{j}" for _ in range(6) for j in range(4)]
RATINGS = np.round(RNG.uniform(0, 100, 24))
VALUES = np.round(RATINGS / 20 + RNG.normal(0, 1.5, 24), 1)


def compare(values: np.ndarray, *, higher: bool = True, n_boot: int = 50) -> Agreement:
    return agreement(
        "m", "all", ITEMS, CONDITIONS, RATINGS.tolist(), values.tolist(),
        higher_is_better=higher, n_boot=n_boot,
    )  # fmt: skip


def test_as_scipy() -> None:
    found = compare(VALUES)
    assert found.spearman.value == pytest.approx(stats.spearmanr(RATINGS, VALUES).statistic)
    assert found.kendall.value == pytest.approx(stats.kendalltau(RATINGS, VALUES).statistic)
    rated = RATINGS.reshape(6, 4).mean(axis=0)
    value = VALUES.reshape(6, 4).mean(axis=0)
    assert found.condition_spearman.value == pytest.approx(stats.spearmanr(rated, value).statistic)
    assert found.condition_kendall.value == pytest.approx(stats.kendalltau(rated, value).statistic)


def test_pairs_by_hand() -> None:
    right = total = 0.0
    for i in range(6):
        for a in range(4):
            for b in range(a):
                p, q = 4 * i + a, 4 * i + b
                if abs(RATINGS[p] - RATINGS[q]) >= 10:
                    total += 1
                    same = (RATINGS[p] - RATINGS[q]) * (VALUES[p] - VALUES[q])
                    right += 1.0 if same > 0 else 0.5 if same == 0 else 0.0
    found = compare(VALUES)
    assert found.pairs == total
    assert found.accuracy.value == pytest.approx(right / total)


def test_intervals_are_those_of_resampled_tables() -> None:
    n_boot = 40
    found = compare(VALUES, n_boot=n_boot)
    drawn = np.random.default_rng(0).integers(0, 6, size=(n_boot, 6))
    for name, statistic in (("spearman", stats.spearmanr), ("kendall", stats.kendalltau)):
        resampled = []
        for items in drawn:
            rows = np.concatenate([np.arange(4 * i, 4 * i + 4) for i in items])
            resampled.append(statistic(RATINGS[rows], VALUES[rows]).statistic)
        low, high = np.quantile(resampled, [0.025, 0.975])
        interval = getattr(found, name).interval
        assert interval.low == pytest.approx(low)
        assert interval.high == pytest.approx(high)


def test_a_perfect_metric_and_its_reverse() -> None:
    assert compare(RATINGS).accuracy.value == 1.0
    assert compare(-RATINGS).accuracy.value == 0.0
    assert compare(-RATINGS, higher=False).accuracy.value == 1.0
    assert compare(-RATINGS, higher=False).spearman.value == pytest.approx(1.0)


def test_a_constant_metric_says_nothing() -> None:
    found = compare(np.ones(24))
    assert found.accuracy.value == 0.5
    assert found.spearman.value is None
    assert found.spearman.interval.reason == "no value"


def test_what_has_no_value_takes_no_part() -> None:
    values = VALUES.copy()
    values[[0, 5]] = np.nan
    found = compare(values)
    kept = np.isfinite(values)
    assert (found.stimuli, found.undefined) == (22, 2)
    assert found.spearman.value == pytest.approx(
        stats.spearmanr(RATINGS[kept], values[kept]).statistic
    )


def test_one_item_has_no_interval() -> None:
    found = agreement(
        "m", "all", ["x"] * 4, list("abcd"), [10.0, 30.0, 60.0, 90.0], [1.0, 2.0, 3.0, 4.0],
        higher_is_better=True,
    )  # fmt: skip
    assert found.accuracy.value == 1.0
    assert found.accuracy.interval.low is None
    assert found.accuracy.interval.reason == "one item has no spread"


def test_nothing_at_all() -> None:
    found = compare(np.full(24, np.nan))
    assert (found.stimuli, found.pairs, found.accuracy.value) == (0, 0, None)
