"""Equal error rates and detection cost against scikit-learn, SpeechBrain and plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from sqbench.tasks.verification import Sweep, eer, eer_protocol, min_dcf, nearest


def trials(seed: int, n: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < 0.4
    scores = rng.standard_normal(n) + 1.2 * labels
    return (np.round(scores, 1) if ties else scores), labels


CASES = [(seed, n, ties) for seed in range(6) for n in (7, 60, 500) for ties in (False, True)]


@pytest.mark.parametrize(("seed", "n", "ties"), CASES)
def test_protocol_rule_is_scikit_learns_curve(seed: int, n: int, ties: bool) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    scores, labels = trials(seed, n, ties)
    fpr, tpr, _ = metrics.roc_curve(labels, scores, pos_label=1)
    index = np.nanargmin(np.abs(1 - tpr - fpr))
    expected = max(fpr[index], 1 - tpr[index])
    assert eer_protocol(scores, labels) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("seed", "n", "ties"), CASES)
def test_interpolated_rate_is_where_the_curve_crosses(seed: int, n: int, ties: bool) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    from scipy.optimize import brentq

    scores, labels = trials(seed, n, ties)
    fpr, tpr, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
    # Steps upwards are vertical: cross them along the diagonal's own parameter.
    path = np.linspace(0, 1, len(fpr))
    crossing = brentq(
        lambda p: 1 - np.interp(p, path, tpr) - np.interp(p, path, fpr), 0, 1, xtol=1e-12
    )
    expected = np.interp(crossing, path, fpr)
    assert eer(Sweep(scores, labels).curve())[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_near_speechbrains(seed: int) -> None:
    stats = pytest.importorskip("speechbrain.utils.metric_stats")
    import torch

    scores, labels = trials(seed, 2000, False)
    theirs, _ = stats.EER(torch.tensor(scores[labels]), torch.tensor(scores[~labels]))
    assert eer(Sweep(scores, labels).curve())[0] == pytest.approx(float(theirs), abs=2e-3)


def test_all_scores_equal() -> None:
    """Nothing can be told apart: 50 % by the crossing, 100 % by the protocol's rule."""
    scores, labels = np.ones(10), np.arange(10) % 2 == 0
    curve = Sweep(scores, labels).curve()
    assert eer(curve)[0] == 0.5
    assert eer_protocol(scores, labels) == 1.0
    assert nearest(curve)[0] == 1.0
    assert min_dcf(curve) == 1.0


def test_perfect_and_inverted() -> None:
    labels = np.array([True, True, False, False])
    for scores, expected in (([4.0, 3, 2, 1], 0.0), ([1.0, 2, 3, 4], 1.0)):
        curve = Sweep(np.array(scores), labels).curve()
        assert eer(curve)[0] == expected
        assert eer_protocol(np.array(scores), labels) == expected


@pytest.mark.parametrize("labels", [[True] * 3, [False] * 3], ids=["no others", "no targets"])
def test_one_kind_of_trial_has_no_rate(labels: list[bool]) -> None:
    scores = np.array([1.0, 2.0, 3.0])
    assert np.isnan(eer_protocol(scores, np.array(labels)))
    assert np.isnan(eer(Sweep(scores, np.array(labels)).curve())[0])
    assert np.isnan(nearest(Sweep(scores, np.array(labels)).curve())[0])


def test_weights_are_repeated_trials() -> None:
    scores, labels = trials(3, 40, True)
    weights = np.random.default_rng(0).integers(0, 4, 40)
    repeated = Sweep(np.repeat(scores, weights), np.repeat(labels, weights)).curve()
    weighted = Sweep(scores, labels).curve(weights[None].astype(float))
    assert eer(weighted)[0] == pytest.approx(eer(repeated)[0], abs=1e-12)
    assert nearest(weighted)[0] == pytest.approx(nearest(repeated)[0], abs=1e-12)


def test_detection_cost_by_trying_every_threshold() -> None:
    scores, labels = trials(1, 80, True)
    costs = []
    for threshold in [np.inf, *scores]:
        miss = np.mean(scores[labels] < threshold)
        false = np.mean(scores[~labels] >= threshold)
        costs.append((0.05 * miss + 0.95 * false) / 0.05)
    assert min_dcf(Sweep(scores, labels).curve()) == pytest.approx(min(costs), abs=1e-12)
