"""`benchmarks/rank_agreement.py` against SciPy and against cases whose answer is known."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import spearmanr

_PATH = Path(__file__).parents[2] / "benchmarks/rank_agreement.py"


@pytest.fixture(scope="module")
def ranks() -> Any:
    spec = importlib.util.spec_from_file_location("rank_agreement", _PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["rank_agreement"] = module
    spec.loader.exec_module(module)
    return module


def test_correlation_is_scipys_also_with_ties(ranks: Any) -> None:
    a, b = [1.0, 2, 2, 4, 5, 9], [2.0, 1, 3, 3, 8, 7]
    assert ranks.spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert math.isnan(ranks.spearman([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]))


def test_permutation_test_of_small_cases_is_exact(ranks: Any) -> None:
    """Of 24 orders of four methods two agree or disagree wholly; of three methods two of six."""
    assert ranks.permutation_p([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(2 / 24)
    assert ranks.permutation_p([1, 2, 3], [3, 2, 1]) == pytest.approx(2 / 6)
    # Of ten methods, by random permutations: a p as small as the table's.
    many = list(range(10))
    assert ranks.permutation_p(many, many) < 1e-3


def test_an_interval_needs_bases_and_narrows_where_they_agree(ranks: Any) -> None:
    toy = {name: [value] for name, value in zip("abcdef", range(6), strict=True)}
    apart = {name: {0: [value[0] * 10.0], 1: [value[0] * 10.0 + 1]} for name, value in toy.items()}
    found = ranks.agreement(toy, apart)
    assert (found.rho, found.low, found.high) == (pytest.approx(1), pytest.approx(1), 1)
    assert (found.methods, found.bases) == (6, 2)
    # The second base turns the ranking round: the interval says so.
    turned = {name: {0: [value[0]], 1: [-value[0]]} for name, value in toy.items()}
    found = ranks.agreement(toy, turned)
    assert found.low < -0.9
    assert found.high > 0.9
    single = ranks.agreement(toy, {name: {0: [value[0]]} for name, value in toy.items()})
    assert single.low is single.high is None


def test_runs_that_failed_are_the_worst(ranks: Any) -> None:
    toy = {"a": [1.0], "b": [2.0], "c": [3.0]}
    codec = {"a": {0: [-math.inf]}, "b": {0: [5.0]}, "c": {0: [6.0]}}
    assert ranks.agreement(toy, codec).rho == pytest.approx(1)
