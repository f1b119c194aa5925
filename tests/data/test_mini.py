from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from sqbench import audio
from sqbench.data.base import Utterance
from sqbench.data.mini import MiniSource


@pytest.fixture(scope="module")
def clips() -> list[Utterance]:
    return list(MiniSource().utterances())


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with MiniSource().path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def of(clips: list[Utterance], dataset: str) -> list[Utterance]:
    return [clip for clip in clips if clip.dataset == dataset]


def test_name_and_sets(clips: list[Utterance]) -> None:
    source = MiniSource()
    assert (source.name, source.location) == ("mini", "mini")
    assert {(clip.dataset, clip.category, clip.domain) for clip in clips} == {
        ("mini_speech", "speech", "speech"),
        ("mini_music", "audio", "music"),
        ("mini_events", "audio", "general"),
    }


def test_every_file_is_listed_and_small_enough(clips: list[Utterance]) -> None:
    home = MiniSource().path.parent
    files = {path.relative_to(home).as_posix() for path in home.rglob("*.flac")}
    assert files == {clip.id for clip in clips}
    assert sum((home / name).stat().st_size for name in files) <= 6_000_000


def test_files_are_as_the_manifest_says(rows: list[dict[str, str]]) -> None:
    home: Path = MiniSource().path.parent
    for row in rows:
        path = home / row["path"]
        samples, rate = audio.read(path)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"], row["path"]
        assert rate == int(row["sample_rate"]), row["path"]
        assert samples.size / rate == pytest.approx(float(row["duration_s"]), abs=1e-3)


def test_levels(clips: list[Utterance]) -> None:
    for clip in clips:
        assert clip.path is not None
        samples, _ = audio.read(clip.path)
        assert samples.ndim == 1, clip.id
        assert -12.0 < 20 * np.log10(np.max(np.abs(samples))) < -2.9, clip.id
        assert abs(samples.mean()) < 1e-5, clip.id
        assert np.mean(samples == 0) < 0.5, clip.id  # no digital silence


def test_speech_labels(clips: list[Utterance]) -> None:
    speech = of(clips, "mini_speech")
    flite = [clip.labels for clip in speech if clip.labels["synthesiser"] == "flite"]
    speakers = Counter(labels["speaker"] for labels in flite)
    assert len(speakers) == 4
    assert min(speakers.values()) >= 6
    assert {"neutral", "fast", "slow"} <= {labels["style"] for labels in flite}
    voices = defaultdict(set)
    for clip in speech:
        assert clip.labels.keys() == {"text", "speaker", "style", "condition", "synthesiser"}
        voices[clip.labels["text"]].add(clip.labels["speaker"])
    assert sum(len(speakers) == 4 for speakers in voices.values()) == 3


def test_event_and_music_labels(clips: list[Utterance]) -> None:
    events = Counter(clip.labels["event"] for clip in of(clips, "mini_events"))
    assert len(events) == 10
    assert set(events.values()) == {5}
    music = [clip.labels for clip in of(clips, "mini_music")]
    assert len({labels["instrument"] for labels in music}) == len(music) == 10
    assert all(labels["genre"] for labels in music)


def test_first_clips_of_a_set_already_vary(clips: list[Utterance]) -> None:
    assert len({clip.labels["speaker"] for clip in of(clips, "mini_speech")[:4]}) == 4
    assert len({clip.labels["event"] for clip in of(clips, "mini_events")[:10]}) == 10
