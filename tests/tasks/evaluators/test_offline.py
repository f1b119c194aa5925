"""The offline evaluators on the embedded set, and against independent code."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from sqbench import audio
from sqbench.data.mini import MiniSource
from sqbench.tasks.base import Clip, TaskData
from sqbench.tasks.catalogue import TASKS
from sqbench.tasks.embeddings import unpack
from sqbench.tasks.evaluators import catalogue, probes
from sqbench.tasks.evaluators.base import Evaluator, Setting
from sqbench.tasks.evaluators.features import features
from sqcodec.errors import InputError


@pytest.fixture(scope="module")
def clips() -> dict[str, Any]:
    """Some clips of the embedded set at 16 kHz."""
    found = {}
    for clip in itertools.islice(MiniSource().utterances(), 8):
        samples, rate = audio.read(clip.content())
        found[clip.id] = audio.resample(samples, rate, 16000).astype(np.float32)
    return found


def make(name: str, data: TaskData | None = None) -> Evaluator:
    data = data or TaskData(clips={})
    hashes = {key: f"{i:08x}" for i, key in enumerate(data.clips)}
    return catalogue.EVALUATORS.get(name).build(
        Setting(source=None, device="cpu", data=data, hashes=hashes)
    )


def test_sphinx_hears_words_and_forgets_them(clips: dict[str, Any]) -> None:
    pytest.importorskip("pocketsphinx")
    evaluator = make("pocketsphinx")
    evaluator.load(lambda name: clips[name])
    first, second = itertools.islice(clips.values(), 2)
    silence = np.zeros(16000, np.float32)
    nobody = [Clip(id="", dataset="", label="")] * 3
    forward = evaluator.predict([first, silence, second], nobody)
    assert "kitchen table" in forward[0]["hypothesis"]
    assert len(forward[1]["hypothesis"].split()) <= 1
    assert evaluator.predict([second, silence, first], nobody) == forward[::-1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_resemblyzer_is_the_packages_encoder(clips: dict[str, Any]) -> None:
    package = pytest.importorskip("resemblyzer", reason="Resemblyzer does not import")
    from resemblyzer.audio import normalize_volume

    evaluator = make("resemblyzer")
    evaluator.load(lambda name: clips[name])
    theirs = package.VoiceEncoder("cpu", verbose=False)
    for waveform in (*itertools.islice(clips.values(), 3), np.tile(next(iter(clips.values())), 4)):
        for part in (waveform, 0.001 * waveform[:9000]):
            (ours,) = evaluator.predict([part], [Clip(id="", dataset="", label="")])
            expected = theirs.embed_utterance(normalize_volume(part, -30, increase_only=True))
            np.testing.assert_allclose(unpack(ours["whole"]), expected, atol=2e-6)


def test_resemblyzer_takes_silence_and_a_sample(clips: dict[str, Any]) -> None:
    if catalogue.EVALUATORS.get("resemblyzer").missing():
        pytest.skip("Resemblyzer is not installed")
    evaluator = make("resemblyzer")
    evaluator.load(lambda name: clips[name])
    nobody = [Clip(id="", dataset="", label="")] * 3
    silent = evaluator.predict([np.zeros(n, np.float32) for n in (1, 8000, 90000)], nobody)
    whole = [unpack(one["whole"]) for one in silent]
    assert np.isfinite(whole).all()
    np.testing.assert_allclose(whole[1], whole[2], atol=1e-6)


def _synthetic(groups: int, labels: str) -> tuple[TaskData, dict[str, Any]]:
    """Tones with noise: the class is the pitch, the group adds a hum of its own."""
    rng = np.random.default_rng(0)
    clips, waveforms = {}, {}
    t = np.arange(8000) / 16000
    for group in range(groups):
        for i, label in enumerate(labels):
            name = f"{group}{label}"
            clips[name] = Clip(id=name, dataset="d", label=label, group=str(group))
            tone = np.sin(2 * np.pi * 300 * (1 + i) * t) + 0.3 * np.sin(
                2 * np.pi * (50 + group) * t
            )
            waveforms[name] = (0.1 * tone + 0.01 * rng.standard_normal(8000)).astype(np.float32)
    return TaskData(clips=clips), waveforms


@pytest.mark.parametrize("name", ["probe-emotion", "probe-event"])
def test_probes_learn(name: str) -> None:
    data, waveforms = _synthetic(5, "abc")
    evaluator = make(name, data)
    evaluator.load(waveforms.__getitem__)
    found = evaluator.predict(list(waveforms.values()), list(data.clips.values()))
    right = [one["label"] == c.label for one, c in zip(found, data.clips.values(), strict=True)]
    assert np.mean(right) > 0.9
    assert sum(found[0]["posterior"].values()) == pytest.approx(1, abs=1e-5)
    again = make(name, data)
    again.load(waveforms.__getitem__)
    assert again.id == evaluator.id
    assert again.predict([waveforms["0a"]], [data.clips["0a"]]) == found[:1]


def test_a_probe_never_learns_from_the_group_that_it_judges() -> None:
    """Labels of one group are scrambled: what is said of that group does not change."""
    data, waveforms = _synthetic(5, "abc")
    swapped = {
        name: Clip(id=name, dataset="d", label="abc"["bca".index(c.label)], group=c.group)
        if c.group == "2"
        else c
        for name, c in data.clips.items()
    }
    said = []
    for each in (data, TaskData(clips=swapped)):
        evaluator = make("probe-event", each)
        evaluator.load(waveforms.__getitem__)
        said.append(evaluator.predict([waveforms["2a"]], [each.clips["2a"]])[0])
    assert said[0]["label"] == said[1]["label"] == "a"


def test_a_probe_is_identified_by_what_it_learned_from() -> None:
    data, _ = _synthetic(3, "ab")
    fewer = TaskData(clips=dict(list(data.clips.items())[1:]))
    assert make("probe-event", data).id != make("probe-event", fewer).id


def test_one_group_is_too_few() -> None:
    data, waveforms = _synthetic(1, "ab")
    with pytest.raises(InputError, match="two recordings"):
        make("probe-event", data).load(waveforms.__getitem__)


def test_folds_hold_whole_groups_and_all_classes() -> None:
    data, _ = TASKS["er"].data(MiniSource())
    clips = list(data.clips.values())
    for seed in range(3):
        dealt = probes.folds(clips, 4, seed)
        assert dealt.keys() == {clip.group for clip in clips}
        assert set(dealt.values()) == set(range(4))
        neutral = [
            sum(c.label == "neutral" for c in clips if dealt[c.group] == f) for f in range(4)
        ]
        assert max(neutral) - min(neutral) <= 1
    assert probes.folds(clips, 4, 0) == probes.folds(clips[::-1], 4, 0)


def test_discriminants_are_those_of_the_formula() -> None:
    """One covariance of all classes, shrunk half way to a sphere; equal priors, unequal counts."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 2, 3], [60, 40, 20])  # of four classes
    rows = rng.uniform(0.1, 5.0, 6) * (
        rng.standard_normal((120, 6)) + rng.standard_normal((4, 6))[labels]
    )
    rows[:, 5] = 7.0  # tells nothing, and has no spread to divide by
    scale = np.where(rows.std(axis=0) > 0, rows.std(axis=0), 1.0)
    x = (rows - rows.mean(axis=0)) / scale
    centres = np.stack([x[labels == k].mean(axis=0) for k in (0, 2, 3)])
    rest = x - centres[np.searchsorted([0, 2, 3], labels)]
    covariance = rest.T @ rest / len(x)
    shrunk = 0.5 * covariance + 0.5 * np.trace(covariance) / 6 * np.eye(6)
    fitted = probes.Discriminant(rows, labels, 4)
    for point, row in zip(x[::10], rows[::10], strict=True):
        distances = [(point - c) @ np.linalg.solve(shrunk, point - c) for c in centres]
        powers = np.exp(-0.5 * np.array(distances))
        expected = np.insert(powers / powers.sum(), 1, 0.0)
        np.testing.assert_allclose(fitted.posterior(row), expected, atol=1e-7)


def test_a_discriminant_of_one_class_says_that_class() -> None:
    fitted = probes.Discriminant(np.ones((3, 2)), np.array([1, 1, 1]), 3)
    np.testing.assert_array_equal(fitted.posterior(np.zeros(2)), [0.0, 1.0, 0.0])


def test_features_do_not_see_the_level() -> None:
    x = np.random.default_rng(0).standard_normal(20000) * np.hanning(20000)
    np.testing.assert_allclose(features(0.01 * x), features(x), atol=1e-6)


@pytest.mark.parametrize("length", [0, 1, 100, 5000])
def test_features_of_little_or_nothing(length: int) -> None:
    assert not features(np.zeros(length)).any()
    row = features(np.random.default_rng(0).standard_normal(length))
    assert np.isfinite(row).all()
    assert row.shape == features(np.zeros(10)).shape


def test_choices() -> None:
    assert [c.label for c in catalogue.choose("offline").values()] == [
        "faster-whisper-tiny.en", "resemblyzer", "probe-emotion", "probe-event",
    ]  # fmt: skip
    assert set(catalogue.choose("asr=pocketsphinx")) == {"asr"}
    mixed = catalogue.choose("protocol,asv=ecapa@/x/pretrain.model")
    assert [c.label for c in mixed.values()][:2] == ["whisper-large-v3", "ecapa@/x/pretrain.model"]
    assert mixed["asv"].source == "/x/pretrain.model"
    pinned = catalogue.choose("asv=ecapa-speechbrain@speechbrain/spkrec@5c0be38")
    assert pinned["asv"].source == "speechbrain/spkrec@5c0be38"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("officially", "offline"),
        ("asr=sphinx", "pocketsphinx"),
        ("asv=pocketsphinx", "of asr"),
        ("tts=x", "a task"),
        ("", "at least one"),
    ],
)
def test_choices_that_are_none(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        catalogue.choose(text)


def test_a_missing_package_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install" in catalogue.EVALUATORS.get("pocketsphinx").readiness()
    with pytest.raises(InputError, match="pocketsphinx"):
        make("pocketsphinx")
