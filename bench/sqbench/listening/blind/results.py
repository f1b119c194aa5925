"""What listeners send back, held against the key: answers to trials of that test, and no others.

``docs/listening.md`` documents the format. ``blind.js`` writes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqbench.errors import InputError
from sqbench.listening.blind import checks
from sqbench.listening.blind.checks import Fields
from sqbench.listening.blind.key import Key

FORMAT = "sqbench-blind-results"
VERSION = 1
_REMEDY = "Ask the listener for the file as the page saved it."


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One trial of ABX: which two stimuli, which of them was X, and which the listener chose."""

    item: str
    pair: frozenset[str]
    right: bool


@dataclass(frozen=True, kw_only=True)
class Rating:
    """One stimulus of MUSHRA, from 0 to 100."""

    item: str
    stimulus: str
    score: float


@dataclass(frozen=True, kw_only=True)
class Session:
    """What one listener did in one sitting.

    Attributes:
        answers: of ABX.
        ratings: of MUSHRA, all stimuli of each item.
        trials: how many were finished.
        planned: of how many.
    """

    path: Path
    listener: str
    started: str
    answers: tuple[Answer, ...] = ()
    ratings: tuple[Rating, ...] = ()
    trials: int
    planned: int


def read(path: Path, key: Key) -> Session:
    """Read a listener's file.

    Raises:
        InputError: it is none, or not of this test; says where in it.
    """
    top = checks.load(path, FORMAT, VERSION, _REMEDY)
    if top.choice("method", ("abx", "mushra")) != key.method:
        top.wrong("method", f"{key.method}, as in {key.path}", top.content["method"])
    if (test := top.text("test")) != key.test:
        raise InputError(
            f"{path}: test", expected=f"{key.test}, the test of {key.path}",
            found=checks.shown(test), remedy="Name by --key the key of the page that was answered.",
        )  # fmt: skip
    trials = list(top.objects("trials"))
    if not trials:
        top.wrong("trials", "at least one finished trial", [])
    if len(trials) > len(key.trials):
        top.wrong("trials", f"at most {len(key.trials)}, as planned", len(trials))
    return Session(
        path=path,
        listener=top.text("listener", most=80).strip(),
        started=top.text("started", most=40),
        answers=tuple(_answers(trials, key)) if key.method == "abx" else (),
        ratings=tuple(_ratings(trials, key)) if key.method == "mushra" else (),
        trials=len(trials),
        planned=len(key.trials),
    )


def read_all(paths: Sequence[Path], key: Key) -> list[Session]:
    """Read the files of several listeners.

    Raises:
        InputError: see `read`; or a sitting is there twice.
    """
    sessions: dict[tuple[str, str], Session] = {}
    for path in paths:
        session = read(path, key)
        same = sessions.setdefault((session.listener, session.started), session)
        if same is not session:
            raise InputError(
                str(path), expected="each sitting once",
                found=f"the one that {same.path} holds too: {session.listener}, {session.started}",
                remedy="Leave one of the two files out.",
            )  # fmt: skip
    return list(sessions.values())


def _answers(trials: Sequence[Fields], key: Key) -> list[Answer]:
    left = Counter((trial.item, frozenset(trial.stimuli)) for trial in key.trials)
    found = []
    for each in trials:
        item = each.text("item")
        a, b = each.text("a"), each.text("b")
        pair = frozenset((a, b))
        left[item, pair] -= 1
        if left[item, pair] < 0:
            each.wrong("a", "two stimuli of a trial of the test, as often as planned", [a, b])
        x = each.choice("x", (a, b))
        chosen = {"a": a, "b": b}[each.choice("answer", ("a", "b"))]
        found.append(Answer(item=item, pair=pair, right=chosen == x))
    return found


def _ratings(trials: Sequence[Fields], key: Key) -> list[Rating]:
    left = {trial.item: set(trial.stimuli) for trial in key.trials}
    found = []
    for each in trials:
        item = each.text("item")
        if item not in left:
            each.wrong("item", "an item of the test, once", item)
        stimuli = left.pop(item)
        for one in each.objects("ratings"):
            stimulus = one.text("stimulus")
            if stimulus not in stimuli:
                one.wrong("stimulus", "a stimulus of the item, once", stimulus)
            stimuli.remove(stimulus)
            score = one.number("score", 0, 100)
            found.append(Rating(item=item, stimulus=stimulus, score=score))
        if stimuli:
            each.wrong("ratings", "a rating of every stimulus", f"{len(stimuli)} without")
    return found
