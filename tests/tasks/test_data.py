"""Which clips the tasks cover: the official layout, manifests, the embedded set."""

from __future__ import annotations

from pathlib import Path

import data_files
import pytest

from sqbench.data.mini import MiniSource
from sqbench.data.slt import SLTSource
from sqbench.tasks.asv import speaker_of
from sqbench.tasks.catalogue import TASKS
from sqcodec.errors import InputError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tiny official layout with all five folders."""
    data_files.put(tmp_path / "samples/librispeech/one.wav")
    chapter = tmp_path / "LibriSpeech/test-clean/61/70968"
    for name in ("61-70968-0000", "61-70968-0001"):
        data_files.put(chapter / f"{name}.flac")
    (chapter / "61-70968.trans.txt").write_text("61-70968-0000 HE BEGAN\n61-70968-0001 A B\n")
    for name in ("angry-03-01-05-01-01-01-01", "calm-03-01-02-01-01-01-02", "03-01-04-01-01-01-03"):
        data_files.put(tmp_path / f"RAVDESS/ravdess/{name}.wav")
    data_files.put(tmp_path / "ESC-50-master/audio/1-100-A-0.wav")
    (tmp_path / "ESC-50-master/meta").mkdir()
    (tmp_path / "ESC-50-master/meta/esc50.csv").write_text(
        "filename,fold,target,category,src_file\n1-100-A-0.wav,1,0,dog,100\n"
    )
    for name in ("id1/v/1", "id1/v/2", "id2/v/1"):
        data_files.put(tmp_path / f"vox1_test_wav/wav/{name}.wav")
    (tmp_path / "veri_test2.txt").write_text(
        "1 id1/v/1.wav id1/v/2.wav\n0 id1/v/1.wav id2/v/1.wav\n"
    )
    return tmp_path


def test_official_asr(root: Path) -> None:
    data, found = TASKS["asr"].data(SLTSource(root))
    name = "LibriSpeech/test-clean/61/70968/61-70968-0000.flac"
    assert (data.clips[name].label, data.clips[name].dataset) == ("HE BEGAN", "test-clean")
    assert found[name].path == root / name
    assert len(data.clips) == 2


def test_official_asv(root: Path) -> None:
    data, found = TASKS["asv"].data(SLTSource(root))
    (trials,) = data.trials.values()
    assert [t.target for t in trials] == [True, False]
    assert set(found) == {f"vox1_test_wav/wav/{n}.wav" for n in ("id1/v/1", "id1/v/2", "id2/v/1")}
    assert data.clips["vox1_test_wav/wav/id2/v/1.wav"].group == "id2"


def test_official_er_by_both_rules(root: Path) -> None:
    data, _ = TASKS["er"].data(SLTSource(root))
    both = {
        name.rpartition("/")[2][:5]: (clip.label, clip.alternative, clip.group)
        for name, clip in data.clips.items()
    }
    assert both == {
        "angry": ("angry", "angry", "ravdess-01"),
        "calm-": ("calm", "calm", "ravdess-02"),
        "03-01": ("03", "sad", "ravdess-03"),  # an original name: the protocol's rule has no class
    }


def test_official_aec(root: Path) -> None:
    data, _ = TASKS["aec"].data(SLTSource(root))
    (clip,) = data.clips.values()
    assert (clip.label, clip.group) == ("dog", "100")


def test_folders_that_are_not_there_are_no_error(tmp_path: Path) -> None:
    data_files.put(tmp_path / "samples/librispeech/one.wav")
    for task in TASKS.values():
        assert not task.data(SLTSource(tmp_path))[0].clips


@pytest.mark.parametrize(
    ("task", "change", "words"),
    [
        ("asr", "LibriSpeech/test-clean/61/70968/61-70968.trans.txt", "transcript"),
        ("asv", "veri_test2.txt", "veri_test2.txt"),
        ("asv", "vox1_test_wav/wav/id2/v/1.wav", "line 2"),
        ("aec", "ESC-50-master/audio/1-100-A-0.wav", "line 2"),
    ],
)
def test_lists_and_files_that_contradict(root: Path, task: str, change: str, words: str) -> None:
    (root / change).unlink()
    with pytest.raises(InputError, match=words):
        TASKS[task].data(SLTSource(root))


def test_a_line_that_is_no_trial(root: Path) -> None:
    (root / "veri_test2.txt").write_text("yes id1/v/1.wav id1/v/2.wav\n")
    with pytest.raises(InputError, match="line 1"):
        TASKS["asv"].data(SLTSource(root))


def test_the_embedded_set_covers_all_four() -> None:
    counts = {}
    for name, task in TASKS.items():
        data, found = task.data(MiniSource())
        assert data.clips.keys() == found.keys()
        counts[name] = len(data.clips)
    assert counts == {"asr": 39, "asv": 39, "er": 39, "aec": 50}
    data, _ = TASKS["asv"].data(MiniSource())
    (trials,) = data.trials.values()
    assert sum(t.target for t in trials) == len(trials) / 2 == 144
    speakers = {frozenset((data.clips[t.a].label, data.clips[t.b].label)) for t in trials}
    assert len(speakers) >= 4 + 6  # every speaker with itself and with every other


@pytest.mark.parametrize(
    ("name", "speaker"),
    [
        ("RAVDESS/ravdess/happy-03-01-03-02-02-01-06.flac", "ravdess-06"),
        ("LibriSpeech/test-other/2414/128291/2414-128291-0004.flac", "2414"),
        ("vox1_test_wav/wav/id10270/x6uYqmx31kE/00001.wav", "id10270"),
    ],
)
def test_speakers_are_in_the_names(name: str, speaker: str) -> None:
    assert speaker_of(name) == speaker
