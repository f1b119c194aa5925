"""Paired differences of many codecs at once: as ``compare`` has them, tested and corrected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pages_factory as pages
import pytest
from scipy.stats import permutation_test

from sqbench.pages.matrix import macro_weights, matrix, resampled
from sqbench.pages.pairs import FLIPS, holm, pairs, sign_flip
from sqbench.report import compare
from sqbench.statistics import bootstrap
from sqbench.store.aggregate import rows


@pytest.mark.parametrize("lose", [False, True], ids=["complete", "one value missing"])
@pytest.mark.parametrize("key", ["pesq", "mel", "audio_sdr"])
def test_differences_are_those_of_compare(tmp_path: Path, key: str, lose: bool) -> None:
    store = pages.store(tmp_path, lose=lose)
    found = matrix(rows(store), key)
    names = found.labels
    made = pairs(found, higher_is_better=key != "mel")
    assert len(made) == 10
    for pair in made:
        other = compare.build(store, names[pair.a], names[pair.b])
        (metric,) = (m for m in other.metrics if m.column.key == key)
        assert pair.difference == pytest.approx(metric.paired.difference, abs=1e-12)
        assert pair.low == pytest.approx(metric.paired.interval.low, abs=1e-12)
        assert pair.high == pytest.approx(metric.paired.interval.high, abs=1e-12)
        assert (pair.n, pair.wins, pair.losses) == (
            metric.paired.n,
            metric.paired.wins,
            metric.paired.losses,
        )
    assert min(pair.n for pair in made) == (7 if lose and key == "pesq" else made[-1].n)


def test_resamples_are_those_of_the_bootstrap() -> None:
    rng = np.random.default_rng(0)
    sets = [rng.normal(size=n) for n in (30, 1, 7)]
    datasets = np.repeat([0, 1, 2], [30, 1, 7])
    means = resampled(np.concatenate(sets)[None], datasets, n_boot=500, seed=3)
    assert means is not None
    interval = bootstrap(sets, n_boot=500, seed=3)
    assert interval.low is not None
    assert np.quantile(means[:, 0], [0.025, 0.975]) == pytest.approx(
        [interval.low, interval.high], abs=1e-12
    )


@pytest.mark.parametrize("n", [6, 11])
def test_small_samples_get_the_exact_test_of_scipy(n: int) -> None:
    x = np.random.default_rng(n).normal(0.4, 1.0, n)
    theirs = permutation_test(
        (x,), lambda a, axis: np.mean(a, axis=axis), permutation_type="samples", n_resamples=np.inf,
        vectorized=True,
    )  # fmt: skip
    assert sign_flip(x[None] / n)[0] == pytest.approx(theirs.pvalue, rel=1e-9)


def test_large_samples_get_it_by_chance() -> None:
    x = np.random.default_rng(5).normal(0.25, 1.0, 60)
    theirs = permutation_test(
        (x,), lambda a, axis: np.mean(a, axis=axis), permutation_type="samples", n_resamples=9999,
        vectorized=True, rng=1,
    )  # fmt: skip
    # Both are shares of random patterns: five standard errors of their difference.
    spread = np.sqrt(2 * theirs.pvalue * (1 - theirs.pvalue) / FLIPS)
    assert sign_flip(x[None] / 60)[0] == pytest.approx(theirs.pvalue, abs=5 * spread)


def test_no_difference_is_no_finding() -> None:
    assert sign_flip(np.zeros((1, 5)))[0] == 1.0
    assert sign_flip(np.zeros((1, 50)))[0] == 1.0


def test_holm() -> None:
    # R: p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.005), "holm")
    given = np.array([0.01, 0.02, 0.03, 0.04, 0.005])
    assert holm(given) == pytest.approx([0.04, 0.06, 0.06, 0.06, 0.025])
    assert holm(np.array([0.5, 0.9])) == pytest.approx([1.0, 1.0])
    assert len(holm(np.zeros(0))) == 0


def test_weights_are_the_macro_mean() -> None:
    datasets = np.array([0, 0, 0, 2])
    assert macro_weights(datasets) == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])
