"""ABX: whether listeners hear a difference, by the exact binomial test.

A listener who hears none guesses, and is right with probability one half in each trial; p is the
probability of at least so many right answers then. Of several pairs, Holm's correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqbench.listening.blind.key import Key
from sqbench.listening.blind.results import Session
from sqbench.statistics import Interval

EVERYONE = ""
"""The listener of rows over all of them."""


@dataclass(frozen=True, kw_only=True)
class Discrimination:
    """A pair, and a listener or everyone.

    Attributes:
        share: of right answers.
        interval: of the share, 95 %, exact (Clopper and Pearson 1934).
        p: one-sided, of at least so many right answers by guessing.
        p_holm: corrected for the pairs of the test; ``None`` of one listener's rows.
    """

    a: str
    b: str
    listener: str
    trials: int
    right: int
    share: float
    interval: Interval
    p: float
    p_holm: float | None


def discriminate(key: Key, sessions: Sequence[Session]) -> list[Discrimination]:
    """Everyone's row of each pair, then each listener's; several sittings of one add up."""
    counts: dict[tuple[str, str], dict[str, list[bool]]] = {}
    pairs = {frozenset(trial.stimuli): _names(key, trial.stimuli) for trial in key.trials}
    for names in pairs.values():
        counts.setdefault(names, {EVERYONE: []})
    for session in sessions:
        for answer in session.answers:
            of_pair = counts[pairs[answer.pair]]
            of_pair[EVERYONE].append(answer.right)
            of_pair.setdefault(session.listener, []).append(answer.right)
    rows = [
        _row(pair, listener, answers)
        for pair, by_listener in counts.items()
        for listener, answers in by_listener.items()
        if answers
    ]
    pooled = [row for row in rows if row.listener == EVERYONE]
    corrected = dict(zip(((r.a, r.b) for r in pooled), holm([r.p for r in pooled]), strict=True))
    return [
        replace(row, p_holm=corrected[row.a, row.b]) if row.listener == EVERYONE else row
        for row in rows
    ]


def holm(values: Sequence[float]) -> list[float]:
    """Values of p corrected for their number (Holm 1979), in their order."""
    corrected = [0.0] * len(values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = highest
    return corrected


def _names(key: Key, stimuli: Sequence[str]) -> tuple[str, str]:
    first, second = stimuli
    return key.stimuli[first].system, key.stimuli[second].system


def _row(pair: tuple[str, str], listener: str, answers: Sequence[bool]) -> Discrimination:
    from scipy.stats import binomtest

    tested = binomtest(sum(answers), len(answers), 0.5, alternative="greater")
    # The interval of the two-sided test: it says where the share lies, not only that it is high.
    exact = binomtest(sum(answers), len(answers), 0.5).proportion_ci(0.95, method="exact")
    return Discrimination(
        a=pair[0], b=pair[1], listener=listener, trials=len(answers), right=sum(answers),
        share=sum(answers) / len(answers),
        interval=Interval(low=float(exact.low), high=float(exact.high)),
        p=float(tested.pvalue), p_holm=None,
    )  # fmt: skip
