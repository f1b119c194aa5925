"""Scores of the tasks, and their intervals, by hand and against jiwer."""

from __future__ import annotations

from typing import Any

import jiwer
import numpy as np
import pytest

from sqbench.tasks.aec import AEC
from sqbench.tasks.asr import ASR
from sqbench.tasks.asv import ASV, pairs
from sqbench.tasks.base import Clip, Task, TaskData, Trial
from sqbench.tasks.embeddings import pack, unit, unpack
from sqbench.tasks.er import ER
from sqbench.tasks.words import edits

WORDS = ["the", "a", "cat", "dog", "sat", "on", "mat"]


def clip(name: str, label: str, **more: str) -> Clip:
    return Clip(id=name, dataset=more.pop("dataset", "d"), label=label, **more)


def data(*clips: Clip, **trials: list[Trial]) -> TaskData:
    return TaskData(clips={one.id: one for one in clips}, trials=trials)


def sentences(rng: np.random.Generator, shortest: int) -> list[str]:
    return [" ".join(rng.choice(WORDS, rng.integers(shortest, 9))) for _ in range(30)]


def test_word_error_rate_is_jiwers_over_the_pool() -> None:
    pytest.importorskip("whisper")
    rng = np.random.default_rng(0)
    truths, heard = sentences(rng, 1), sentences(rng, 0)  # empty hypotheses among them
    clips = [clip(str(i), t, dataset="ab"[i % 2]) for i, t in enumerate(truths)]
    task = ASR()
    observed = {c.id: task.judge({"hypothesis": h}, c) for c, h in zip(clips, heard, strict=True)}
    found = task.score(observed, {}, data(*clips), n_boot=200)
    normalised = [o["reference"] for o in observed.values()], [o["text"] for o in observed.values()]
    assert found["wer"].value == pytest.approx(100 * jiwer.wer(*normalised), abs=1e-10)
    assert "" in heard
    assert (found["wer"].n, found["wer"].expected) == (30, 30)
    assert found["wer"].parts.keys() == {"a", "b"}
    low, value, high = (
        found["wer"].interval.low,
        found["wer"].value,
        found["wer"].interval.high,
    )
    assert low is not None
    assert value is not None
    assert high is not None
    assert low < value < high


def _judged(clips: list[Clip], hypotheses: list[str]) -> dict[str, Any]:
    task = ASR()
    pairs = zip(clips, hypotheses, strict=True)
    return {c.id: task.judge({"hypothesis": h}, c) for c, h in pairs}


def test_dwer_is_jiwers_against_the_originals_words() -> None:
    pytest.importorskip("whisper")
    rng = np.random.default_rng(0)
    clips = [clip(str(i), "something else", dataset="ab"[i % 2]) for i in range(30)]
    first, second = sentences(rng, 1), sentences(rng, 0)
    originals, observed = _judged(clips, first), _judged(clips, second)
    found = ASR().score(observed, originals, data(*clips), n_boot=200)["dwer"]
    texts = [o["text"] for o in originals.values()], [o["text"] for o in observed.values()]
    assert found.value == pytest.approx(100 * jiwer.wer(*texts), abs=1e-10)
    assert found.interval.low is not None
    assert found.interval.high is not None
    assert found.value is not None
    assert found.interval.low < found.value < found.interval.high
    assert found.parts.keys() == {"a", "b"}
    same = ASR().score(originals, originals, data(*clips), n_boot=200)["dwer"]
    assert (same.value, same.interval.low, same.interval.high) == (0.0, 0.0, 0.0)
    assert not same.left_out


def test_dwer_of_an_original_without_words_is_undefined() -> None:
    pytest.importorskip("whisper")
    clips = [clip(name, "a cat") for name in "abc"]
    originals = _judged(clips[:2], ["", "a cat"])
    observed = _judged(clips, ["hello", "a dog", "a cat"])
    found = ASR().score(observed, originals, data(*clips), n_boot=10)["dwer"]
    assert (found.value, found.n, found.expected) == (50.0, 1, 3)
    assert found.left_out == {
        "no word was heard in the original": 1,
        "the original was not heard": 1,
    }
    empty = ASR().score(_judged(clips[:1], ["hello"]), originals, data(*clips), n_boot=10)["dwer"]
    assert (empty.value, empty.n) == (None, 0)
    assert empty.interval.reason == "no word was heard in the original"


def test_judging_again_is_judging_by_the_new_truth() -> None:
    pytest.importorskip("whisper")
    said: list[tuple[Task, dict[str, Any]]] = [
        (ASR(), {"hypothesis": "the cat"}),
        (ASV(), {"whole": pack(np.ones(3))}),
        (ER(), {"label": "sad", "posterior": {"sad": 1.0}}),
        (AEC(), {"label": "dog", "posterior": {"dog": 1.0}}),
    ]
    one, other = clip("a", "the cat"), clip("b", "a dog")
    for task, observed in said:
        again = task.judge(task.judge(observed, one), other)
        assert again == task.judge(observed, other), task.name


def test_whispers_normaliser() -> None:
    pytest.importorskip("whisper")
    one = ASR().judge({"hypothesis": "Mr. Neil's colours, um, are 21!"}, clip("a", "x"))
    assert one["text"] == "mister neil is colors are 21"


def test_edits_without_words() -> None:
    assert (edits("", "two words").edits, edits("", "two words").words) == (2, 0)
    assert (edits("one two", "").edits, edits("one two", "").words) == (2, 2)


def test_nothing_heard_has_no_value() -> None:
    for task in (ASR(), ASV(), ER(), AEC()):
        found = task.score({}, {}, data(clip("a", "x"), clip("b", "y")), n_boot=10)
        assert all(estimate.value is None for estimate in found.values()), task.name
        assert all(estimate.n == 0 for estimate in found.values()), task.name
        assert found.keys() == {quantity.name for quantity in task.quantities}


def test_accuracy_and_agreement() -> None:
    clips = [clip(str(i), label, alternative="sad") for i, label in enumerate("ssah")]
    observed: dict[str, Any] = {str(i): {"label": x} for i, x in enumerate("ssaa")}
    originals = {str(i): {"label": x} for i, x in enumerate("sahh")}
    found = ER().score(observed, originals, data(*clips), n_boot=100)
    assert found["er_acc"].value == 75.0
    assert found["er_agreement"].value == 25.0
    assert found["er_acc_by_name"].value == 0.0
    del observed["3"]
    found = ER().score(observed, originals, data(*clips), n_boot=100)
    assert found["er_acc"].value == 100.0
    assert (found["er_acc"].n, found["er_acc"].expected) == (3, 4)


def test_a_label_that_is_no_class_is_wrong() -> None:
    """Original RAVDESS names start with 03: by the protocol's rule nothing can be right."""
    found = ER().score({"a": {"label": "unknown"}}, {}, data(clip("a", "03")), n_boot=10)
    assert found["er_acc"].value == 0.0


def test_cosine_of_events() -> None:
    a, b = pack(np.array([3.0, 4.0])), pack(np.array([4.0, 3.0]))
    found = AEC().score(
        {"x": {"label": "dog", "embedding": a}},
        {"x": {"label": "dog", "embedding": b}},
        data(clip("x", "dog")),
        n_boot=10,
    )
    assert found["aec_cosine"].value == pytest.approx(0.96)


def _voices(rng: np.random.Generator, spread: float, crops: bool) -> tuple[TaskData, Any]:
    clips, observed = [], {}
    for speaker in range(8):
        centre = rng.standard_normal(16)
        for take in range(4):
            name = f"{speaker}-{take}"
            clips.append(clip(name, str(speaker), group=str(speaker)))
            observed[name] = {"whole": pack(centre + spread * rng.standard_normal(16))}
            if crops:
                many = centre + spread * rng.standard_normal((5, 16))
                observed[name]["crops"] = pack(many)
    made = data(*clips)
    return TaskData(clips=made.clips, trials=pairs(clips)), observed


def test_speakers() -> None:
    rng = np.random.default_rng(0)
    near, heard = _voices(rng, 0.3, crops=True)
    far, lost = _voices(rng, 5.0, crops=True)
    good, bad = ASV().score(heard, {}, near, n_boot=200), ASV().score(lost, {}, far, n_boot=200)
    assert good["eer"].value == 0.0
    assert bad["eer_interpolated"].value is not None
    assert 25 < bad["eer_interpolated"].value < 60
    assert bad["eer"].interval.low is not None
    assert bad["eer"].interval.high is not None
    assert bad["eer"].interval.low < bad["eer"].value < bad["eer"].interval.high  # type: ignore[operator]


def test_a_trial_is_the_mean_of_whole_and_crops() -> None:
    from sqbench.tasks.asv import Embedded

    rng = np.random.default_rng(1)
    a, b = ({"whole": rng.standard_normal(4), "crops": rng.standard_normal((5, 4))} for _ in "ab")
    packed = [Embedded({k: pack(v) for k, v in one.items()}) for one in (a, b)]
    whole = unit(a["whole"]) @ unit(b["whole"])
    crops = np.mean([[unit(x) @ unit(y) for y in b["crops"]] for x in a["crops"]])
    assert packed[0].score(packed[1]) == pytest.approx((whole + crops) / 2, abs=1e-6)


def test_equal_embeddings_tie() -> None:
    made, heard = _voices(np.random.default_rng(2), 0.1, crops=False)
    same = {name: {"whole": pack(np.full(16, 0.3) + 1e-9 * i)} for i, name in enumerate(heard)}
    found = ASV().score(same, {}, made, n_boot=50)
    assert found["eer_interpolated"].value == 50.0
    assert found["eer"].value == 100.0


def test_lists_are_averaged_and_a_lost_side_costs_its_trials() -> None:
    clips = [clip(n, n[0], group=n[0]) for n in ("a1", "a2", "b1", "b2")]
    right = [Trial(True, "a1", "a2"), Trial(False, "a1", "b1")]
    wrong = [Trial(True, "b1", "b2"), Trial(False, "a1", "a2")]
    whole = {"a1": [1, 0], "a2": [1, 0.1], "b1": [0, 1], "b2": [1, 1]}
    observed = {n: {"whole": pack(np.array(v, float))} for n, v in whole.items()}
    found = ASV().score(observed, {}, data(*clips, right=right, wrong=wrong), n_boot=20)
    assert found["eer"].parts == {"right": 0.0, "wrong": 100.0}
    assert found["eer"].value == 50.0
    del observed["b2"]
    found = ASV().score(observed, {}, data(*clips, right=right, wrong=wrong), n_boot=20)
    assert found["eer"].value is None
    assert (found["eer"].n, found["eer"].expected) == (3, 4)


def test_embeddings_survive_records() -> None:
    values = np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)
    np.testing.assert_array_equal(unpack(pack(values)), values)


def test_intervals_cover() -> None:
    """Of a share of one half over 60 clips: the interval holds it about 19 times in 20."""
    from sqbench.tasks.accuracy import share

    hits = 0
    for seed in range(100):
        drawn = np.random.default_rng(seed).random(60) < 0.5
        found = share({str(i): float(x) for i, x in enumerate(drawn)}, 60, n_boot=400, seed=seed)
        assert found.interval.low is not None
        assert found.interval.high is not None
        hits += found.interval.low <= 50 <= found.interval.high
    assert hits >= 88
