"""ABX and MUSHRA statistics against SciPy and against what can be counted by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from sqbench.listening.blind import mushra
from sqbench.listening.blind.abx import discriminate, holm
from sqbench.listening.blind.design import Item, Trial
from sqbench.listening.blind.key import Key, KeyStimulus
from sqbench.listening.blind.mushra import MID_ANCHOR, REFERENCE, Panel, means, screen
from sqbench.listening.blind.results import Answer, Session

PATH = Path("x.json")


def _session(right: int, trials: int, listener: str = "anna") -> Session:
    pair = frozenset(("s1", "s2"))
    answers = tuple(Answer(item="c1", pair=pair, right=n < right) for n in range(trials))
    return Session(
        path=PATH, listener=listener, started="", answers=answers, trials=trials, planned=trials
    )


def _key(trials: int) -> Key:
    stimuli = {
        name: KeyStimulus(id=name, item="c1", system=system, role="system", audio=PATH)
        for name, system in (("s1", "a"), ("s2", "b"))
    }
    return Key(
        path=PATH, test="t", method="abx", stimuli=stimuli,
        items={"c1": Item(id="c1", utterance="u", dataset="d", domain="speech")},
        trials=(Trial(item="c1", stimuli=("s1", "s2")),) * trials,
    )  # fmt: skip


@pytest.mark.parametrize("trials", [1, 5, 16, 100])
def test_p_is_the_tail_of_the_binomial(trials: int) -> None:
    for right in range(trials + 1):
        row = discriminate(_key(trials), [_session(right, trials)])[0]
        tail = sum(math.comb(trials, k) for k in range(right, trials + 1)) / 2**trials
        assert row.p == pytest.approx(tail, rel=1e-12)
        assert row.p == stats.binomtest(right, trials, 0.5, alternative="greater").pvalue
        # Clopper and Pearson's ends are quantiles of beta distributions.
        assert row.interval.low == pytest.approx(
            stats.beta.ppf(0.025, right, trials - right + 1) if right else 0.0
        )
        assert row.interval.high == pytest.approx(
            stats.beta.ppf(0.975, right + 1, trials - right) if right < trials else 1.0
        )


def test_known_values_of_p() -> None:
    # The usual table of ABX: 12 of 16 is below 5 %, 11 of 16 is not; 9 of 10; 14 of 16.
    values = {(12, 16): 0.0384, (11, 16): 0.1051, (9, 10): 0.0107, (14, 16): 0.0021}
    for (right, trials), p in values.items():
        row = discriminate(_key(trials), [_session(right, trials)])[0]
        assert row.p == pytest.approx(p, abs=5e-5)


def test_sittings_and_listeners_add_up() -> None:
    sessions = [_session(4, 5), _session(5, 5), _session(1, 5, "ben")]
    rows = {row.listener: row for row in discriminate(_key(15), sessions)}
    assert {name: (row.right, row.trials) for name, row in rows.items()} == {
        "": (10, 15), "anna": (9, 10), "ben": (1, 5),
    }  # fmt: skip
    assert rows[""].p_holm == rows[""].p
    assert rows["anna"].p_holm is None


def test_holm() -> None:
    # Holm 1979: the smallest times n, the next times n - 1, never below one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def _panel(**scores: np.ndarray) -> Panel:
    first = next(iter(scores.values()))
    return Panel(
        listeners=tuple(f"l{i}" for i in range(first.shape[0])),
        items=tuple(f"i{i}" for i in range(first.shape[1])),
        scores=scores,
    )


def _crossed(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (
        60
        + rng.normal(0, 6, (rows, 1))
        + rng.normal(0, 4, (1, columns))
        + rng.normal(0, 3, (rows, columns))
    )


@pytest.mark.parametrize("kind", ["listeners", "items"])
def test_intervals_of_one_kind_are_scipys(kind: str) -> None:
    values = _crossed(20, 12)
    ((mean,), _) = means(_panel(codec=values), ["codec"], n_boot=20_000)
    assert mean.value == pytest.approx(values.mean())
    found = getattr(mean, kind)
    clusters = values.mean(axis=1 if kind == "listeners" else 0)
    expected = stats.bootstrap(
        (clusters,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(7)
    ).confidence_interval
    # Two seeds of SciPy's own differ by up to 0.1 here.
    assert found.low == pytest.approx(expected.low, abs=0.15)
    assert found.high == pytest.approx(expected.high, abs=0.15)


def test_the_interval_of_both_has_the_spread_of_both() -> None:
    values = _crossed(20, 12)
    ((mean,), _) = means(_panel(codec=values), ["codec"], n_boot=20_000)
    # Resampling rows and columns: variances of the means of both add up, and the rest's share.
    by_row = values.mean(axis=1).var() / 20
    by_column = values.mean(axis=0).var() / 12
    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    half = 1.96 * math.sqrt(by_row + by_column + rest.var() / 240)
    assert mean.both.low is not None
    assert mean.both.high is not None
    assert (mean.both.high - mean.both.low) / 2 == pytest.approx(half, rel=0.05)


def test_the_interval_covers() -> None:
    """Of 200 tests of listeners and items anew, about 95 % hold the true mean."""
    inside = 0
    for seed in range(200):
        ((mean,), _) = means(_panel(codec=_crossed(20, 12, seed)), ["codec"], n_boot=400)
        assert mean.both.low is not None
        assert mean.both.high is not None
        inside += mean.both.low <= 60 <= mean.both.high
    assert (
        180 <= inside <= 200
    )  # measured: 186; intervals by listeners alone hold it 170 times, by items 151


def test_differences_are_paired_and_of_systems_alone() -> None:
    base = _crossed(8, 5)
    panel = _panel(a=base + 3, b=base, **{REFERENCE: base + 30})
    single, differences = means(panel, ["a", "b"])
    assert [mean.system for mean in single] == [REFERENCE, "a", "b"]
    (difference,) = differences
    assert (difference.system, difference.minus) == ("a", "b")
    for interval in (difference.both, difference.listeners, difference.items):
        assert interval.low == pytest.approx(3.0)
        assert interval.high == pytest.approx(3.0)


def test_what_is_missing_does_not_count() -> None:
    values = _crossed(5, 4)
    values[0, 1:] = np.nan
    ((mean,), _) = means(_panel(codec=values), ["codec"])
    assert mean.n == 17
    assert mean.value == pytest.approx(np.nanmean(values))
    assert mean.both.low is not None
    assert mean.both.low < mean.value


def test_one_listener_or_one_item_has_no_spread() -> None:
    ((mean,), _) = means(_panel(codec=_crossed(1, 6)), ["codec"])
    assert (mean.listeners.low, mean.both.low) == (None, None)
    assert "one listener" in mean.listeners.reason
    assert mean.items.low is not None
    ((mean,), _) = means(_panel(codec=_crossed(6, 1)), ["codec"])
    assert mean.items.low is None
    assert mean.listeners.low is not None


def _screened(reference: np.ndarray, anchor: np.ndarray) -> dict[str, str]:
    return screen(_panel(**{REFERENCE: reference, MID_ANCHOR: anchor}))


def test_screening_by_the_hidden_reference() -> None:
    reference = np.full((3, 20), 95.0)
    reference[1, :3] = 89.0  # 15 % of 20: still in
    reference[2, :4] = 89.0
    assert _screened(reference, np.full((3, 20), 50.0)) == {
        "l2": "hidden reference below 90 in 4 of 20 items"
    }
    reference[2, :4] = 90.0  # not below
    assert _screened(reference, np.full((3, 20), 50.0)) == {}


def test_screening_by_the_mid_anchor() -> None:
    reference, anchor = np.full((8, 20), 95.0), np.full((8, 20), 50.0)
    anchor[0, :4] = 91.0
    anchor[1, :3] = 91.0
    assert _screened(reference, anchor) == {"l0": "anchor 7 kHz above 90 in 4 of 20 items"}
    # More than a quarter of the listeners, three of eight, find nothing missing from these items.
    anchor[2, 0:2] = 91.0
    anchor[3, 0:2] = 91.0
    assert _screened(reference, anchor) == {}


def test_screening_of_those_who_rated_less() -> None:
    reference = np.full((2, 10), np.nan)
    reference[0, :3] = (95, 80, 95)
    reference[1] = 95
    assert list(screen(_panel(**{REFERENCE: reference}))) == ["l0"]
    assert mushra.SHARE_OF_ITEMS == 0.15
