from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_files import put, tone

from sqbench import audio
from sqbench.data import open_source
from sqbench.data.check import check
from sqbench.data.slt import OFFICIAL_SETS
from sqcodec.errors import InputError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An official layout with one good set, one full of faults, one empty, one unknown."""
    samples = tmp_path / "samples"
    put(samples / "librispeech/a.wav", tone(0.5, 16000))
    put(samples / "librispeech/b.flac", np.stack([tone(1.0, 48000)] * 2, axis=1), 48000)
    put(samples / "librispeech/LOUD.WAV")
    bad = samples / "crema_d"
    put(bad / "silent.wav", np.zeros(800))
    put(bad / "left_silent.wav", np.stack([np.zeros(800), tone()], axis=1))
    put(bad / "nan.wav", np.array([0.1, np.nan, 0.1]))
    put(bad / "header_only.wav", np.zeros(0))
    (bad / "text.wav").write_text("no audio here")
    (bad / "zero.wav").touch()
    (samples / "esc50").mkdir()
    put(samples / "my_set/a.wav")
    (tmp_path / "RAVDESS/ravdess").mkdir(parents=True)
    return tmp_path


def test_official_layout(root: Path) -> None:
    report = check(root)
    sets = {entry.name: entry for entry in report.sets}
    assert list(sets) == ["crema_d", "esc50", "librispeech", "my_set"]
    good = sets["librispeech"]
    assert good.complete
    assert (good.category, good.official, good.files) == ("speech", True, 2)
    assert good.duration_s == pytest.approx(1.5)
    assert good.sample_rates == {16000: 1, 48000: 1}
    assert good.channels == {1: 1, 2: 1}
    assert good.ignored == ("LOUD.WAV",)
    assert not sets["esc50"].complete
    assert set(report.missing_sets) == set(OFFICIAL_SETS) - {"librispeech", "crema_d"}
    assert report.task_folders == {
        "ESC-50-master": False,
        "LibriSpeech": False,
        "RAVDESS": True,
        "vox1_test_wav": False,
    }
    assert not report.ok


def test_every_sort_of_bad_file_is_told_apart(root: Path) -> None:
    entry = next(entry for entry in check(root).sets if entry.name == "crema_d")
    assert {problem.id: problem.kind for problem in entry.problems} == {
        "crema_d/silent.wav": "silent",
        "crema_d/left_silent.wav": "silent",
        "crema_d/nan.wav": "non-finite",
        "crema_d/header_only.wav": "empty",
        "crema_d/text.wav": "unreadable",
        "crema_d/zero.wav": "empty",
    }
    assert entry.files == 6
    assert not entry.complete


@pytest.mark.parametrize("error", [ValueError, MemoryError, RuntimeError, OSError])
def test_whatever_one_clip_raises_is_its_own_problem(
    error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "a.wav")
    put(tmp_path / "b.wav")
    read = audio.read

    def broken(source: Path, **options: Any) -> object:
        if source.name == "a.wav":
            raise error("no luck")
        return read(source, **options)

    monkeypatch.setattr(audio, "read", broken)
    (entry,) = check(tmp_path, domain="speech").sets
    (problem,) = entry.problems
    assert (entry.files, problem.id, problem.kind) == (2, "a.wav", "unreadable")
    assert "no luck" in problem.detail


def test_unknown_set_does_not_hide_the_others(root: Path) -> None:
    entry = next(entry for entry in check(root).sets if entry.name == "my_set")
    assert (entry.category, entry.official, entry.files) == (None, False, 1)
    assert entry.error is not None
    assert "--domain" in entry.error
    told = next(entry for entry in check(root, domain="music").sets if entry.name == "my_set")
    assert (told.category, told.complete) == ("audio", True)


def test_manifest_with_a_missing_file(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    (tmp_path / "m.csv").write_text("path,domain\na.wav,speech\ngone.wav,speech\n")
    report = check(tmp_path / "m.csv")
    (entry,) = report.sets
    assert (entry.name, entry.files, report.task_folders) == ("m", 2, None)
    assert [(problem.id, problem.kind) for problem in entry.problems] == [("gone.wav", "missing")]
    assert not report.ok


def test_mini_is_whole() -> None:
    report = check(open_source("mini"))
    assert report.ok
    assert {entry.name: entry.files for entry in report.sets} == {
        "mini_events": 50,
        "mini_music": 10,
        "mini_speech": 39,
    }


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        check(tmp_path / "missing")
    (tmp_path / "samples").mkdir()
    assert not check(tmp_path).ok
