"""Blind tests: what is compared, what the page tells, and what the key keeps."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import blind_tests
import numpy as np
import pytest
from scipy.signal import freqz

from sqbench import audio
from sqbench.errors import InputError
from sqbench.listening import kept
from sqbench.listening.blind import anchor, key
from sqbench.listening.blind.design import ORIGINAL, Test, design
from sqbench.listening.blind.write import render, write

FIRST, SECOND = blind_tests.CODECS


def test_mushra_has_hidden_reference_and_anchors() -> None:
    test = design(blind_tests.coded(), "mushra")
    assert len(test.trials) == len(test.items) == 3
    for trial in test.trials:
        found = {s.system: s for s in test.stimuli if s.item == trial.item}
        assert set(found) == {ORIGINAL, FIRST, SECOND, "anchor 3.5 kHz", "anchor 7 kHz"}
        assert set(trial.stimuli) == {s.id for s in found.values()}
        assert found[ORIGINAL].role == "reference"
        assert {s.role for s in found.values()} == {"reference", "system", "anchor"}
    assert test.left_out == ()


def test_abx_shares_its_trials_over_clips() -> None:
    test = design(blind_tests.coded(), "abx", trials=5)
    systems = {s.id: s.system for s in test.stimuli}
    pairs = [tuple(systems[s] for s in trial.stimuli) for trial in test.trials]
    assert pairs == [(ORIGINAL, FIRST)] * 5 + [(ORIGINAL, SECOND)] * 5
    items = [trial.item for trial in test.trials[:5]]
    assert sorted(items.count(item) for item in set(items)) == [1, 2, 2]
    one = design(blind_tests.coded(), "abx", pairs=[(FIRST, SECOND)], trials=2)
    assert [tuple(systems[s] for s in trial.stimuli) for trial in one.trials] == [
        (FIRST, SECOND)
    ] * 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trials": 0}, "--trials; expected at least 1; found 0"),
        ({"pairs": [(ORIGINAL, "nobody")]}, "--pair original nobody"),
        ({"pairs": [(FIRST, FIRST)]}, "one twice"),
    ],
)
def test_what_cannot_be_tested(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        design(blind_tests.coded(), "abx", **options)  # type: ignore[arg-type]


def test_a_clip_that_lacks_a_version_is_left_out() -> None:
    whole = blind_tests.coded()
    first, *others = whole.clips
    broken = replace(first, versions=[replace(v, sound=None) for v in first.versions])
    test = design(replace(whole, clips=[broken, *others]), "mushra")
    assert len(test.items) == 2
    assert test.left_out == (f"{blind_tests.CLIPS[0]}: no audio of {FIRST}, {SECOND}",)
    with pytest.raises(InputError, match="a clip with audio of every codec"):
        design(replace(whole, clips=[broken]), "mushra")


def test_names_say_nothing_and_come_from_the_seed() -> None:
    zero, again, one = (design(blind_tests.coded(), "mushra", seed=seed) for seed in (0, 0, 1))
    assert zero.id == again.id != one.id
    ids = {s.id for s in zero.stimuli}
    assert len(ids) == 15
    assert not ids & {s.id for s in one.stimuli}
    assert all(re.fullmatch(r"s[0-9a-f]{10}", name) for name in ids)
    matched = design(blind_tests.coded(), "mushra", match_level=True)
    assert matched.id != zero.id


def test_matched_levels() -> None:
    plain = design(blind_tests.coded(), "mushra")
    assert {s.gain for s in plain.stimuli} == {1.0}
    test = design(blind_tests.coded(), "mushra", match_level=True)
    gains = {s.system: s.gain for s in test.stimuli if s.item == test.items[2].id}
    assert gains[FIRST] == pytest.approx(2.0, rel=0.02)
    assert gains[SECOND] == pytest.approx(1.0, rel=0.02)
    assert gains["anchor 3.5 kHz"] == gains[ORIGINAL]


@pytest.mark.parametrize("method", ["abx", "mushra"])
def test_the_page_tells_nothing(method: str) -> None:
    test = design(blind_tests.coded(), method)  # type: ignore[arg-type]
    text = render(test)
    for secret in (*blind_tests.CLIPS, *blind_tests.CODECS, "plain", "alert(", "words", "anchor 3"):
        assert secret not in text
    data = json.loads(re.findall(r'id="test">(.*?)</script>', text)[0])
    assert data["test"] == test.id
    by_id = {s.id: s for s in test.stimuli}
    for trial, planned in zip(data["trials"], test.trials, strict=True):
        assert trial["stimuli"] == sorted(planned.stimuli)
        if method == "mushra":  # the named reference is no version's name
            assert trial["reference"] not in by_id
    embedded = re.findall(r'id="sounds-(\w+)">\["data:audio/flac;base64,', text)
    needed = {s for trial in data["trials"] for s in trial["stimuli"]}
    needed |= {trial["reference"] for trial in data["trials"] if trial["reference"]}
    assert set(embedded) == needed == set(data["gains"])
    # Their order tells nothing either: reference and versions are mixed.
    assert embedded == sorted(embedded)


def test_the_page_loads_nothing() -> None:
    text = render(design(blind_tests.coded(), "mushra"))
    assert "default-src 'none'" in text
    assert not re.findall(r"<(?:link|img|audio|iframe|script src)", text)
    assert not re.findall(r"https?://", text)


def _written(test: Test, out: Path) -> key.Key:
    assert write(test, out, "sqbench listen") == out / "index.html"
    return key.read(out / "key/key.json")


def test_the_key_is_read_as_it_was_written(tmp_path: Path) -> None:
    test = design(blind_tests.coded(), "mushra")
    found = _written(test, tmp_path)
    assert (found.test, found.method, found.trials) == (test.id, "mushra", test.trials)
    assert tuple(found.items.values()) == test.items
    for stimulus in test.stimuli:
        read = found.stimuli[stimulus.id]
        assert (read.system, read.role, read.item) == (
            stimulus.system, stimulus.role, stimulus.item,
        )  # fmt: skip
        samples, rate = audio.read(read.audio)
        assert rate == stimulus.sound.rate
        np.testing.assert_allclose(samples, stimulus.sound.samples, atol=1 / 32767)
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "key"}


def test_a_key_is_not_written_over(tmp_path: Path) -> None:
    test = design(blind_tests.coded(), "abx")
    _written(test, tmp_path)
    _written(test, tmp_path)  # the same test again
    with pytest.raises(InputError, match=r"key\.json.*no key, or that of the same test"):
        write(design(blind_tests.coded(), "abx", seed=1), tmp_path)
    assert key.read(tmp_path / "key/key.json").test == test.id


def test_files_of_an_earlier_page_do_not_tell_names(tmp_path: Path) -> None:
    (tmp_path / "01-clip-1-opus-6k.wav").write_bytes(b"heard by name")
    (tmp_path / "index.html").write_text("")
    kept.replace(tmp_path, ["index.html", "01-clip-1-opus-6k.wav"])
    _written(design(blind_tests.coded(), "abx"), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "key", kept.LIST}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda k: k["stimuli"][0].update(audio="../../etc/passwd"), "stimuli[0].audio"),
        (lambda k: k["stimuli"][0].update(item="nowhere"), "stimuli[0].item"),
        (lambda k: k["stimuli"].append(k["stimuli"][0]), "each stimulus once"),
        (lambda k: k["trials"][0].update(stimuli=["a", 1]), "trials[0].stimuli"),
        (lambda k: k["trials"][0].update(stimuli=k["trials"][1]["stimuli"]), "of the item"),
        (lambda k: k.update(trials=[]), "at least one trial"),
        (lambda k: k.update(format="else"), 'found format "else"'),
        (lambda k: k.pop("items"), "items; expected a list; found nothing"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_key_that_is_none(change: object, words: str, tmp_path: Path) -> None:
    _written(design(blind_tests.coded(), "mushra"), tmp_path)
    path = tmp_path / "key/key.json"
    content = json.loads(path.read_text())
    change(content)  # type: ignore[operator]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        key.read(path)
    assert "key.json" in str(caught.value)
    assert "--key" in caught.value.remedy


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
def test_the_low_anchor_keeps_the_bounds_of_the_recommendation(rate: int) -> None:
    for cutoff in anchor.CUTOFFS_HZ:
        taps = anchor.taps(rate, cutoff)
        assert len(taps) % 2 == 1
        np.testing.assert_allclose(taps, taps[::-1], atol=1e-15)
        scale = cutoff / 3500
        hz = np.linspace(0, rate / 2, 20001)
        decibels = 20 * np.log10(np.abs(freqz(taps, worN=hz, fs=rate)[1]) + 1e-12)
        assert np.abs(decibels[hz <= 3500 * scale]).max() <= 0.1
        # A clip of 16 kHz ends where the stop band of its 7 kHz anchor begins.
        assert decibels[hz >= 4000 * scale].max(initial=-99) <= -25
        assert decibels[hz >= 4500 * scale].max(initial=-99) <= -50


def test_anchors_are_in_time_and_only_where_they_take_something_away() -> None:
    pulse = np.zeros(2001)
    pulse[1000] = 1.0
    filtered = anchor.low_pass(pulse, 16000, 3500.0)
    assert filtered.shape == pulse.shape
    assert filtered.argmax() == 1000
    np.testing.assert_allclose(filtered, filtered[::-1], atol=1e-12)
    assert anchor.low_pass(np.ones(3), 16000, 3500.0).shape == (3,)
    assert anchor.fits(8000, 3500.0)
    assert not anchor.fits(8000, 7000.0)
    with pytest.raises(ValueError, match="nothing above 7000"):
        anchor.low_pass(pulse, 8000, 7000.0)
