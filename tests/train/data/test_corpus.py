"""Training audio: what is found, skipped, cached and held out."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import audio_fixtures
import numpy as np
import pytest
from train_fixtures import speech_and_music

from sqcodec.errors import InputError
from sqcodec.train.data.corpus import Corpus
from sqcodec.train.data.listing import NO_SOURCES
from sqcodec.train.data.manifest import read_manifest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return speech_and_music(tmp_path / "train")


@pytest.fixture
def licensed(tmp_path: Path) -> Path:
    """Three clips of two groups, with licences."""
    folder = tmp_path / "licensed"
    for i in range(3):
        audio_fixtures.write_wav(folder / f"speech/s{i}.wav", audio_fixtures.babble(0.6, seed=i))
    _manifest(folder, "speech/s0.wav,A,CC0,x", "speech/s1.wav,A,CC0,y", "speech/s2.wav,B,,y")
    return folder


def _manifest(folder: Path, *rows: str) -> None:
    text = "\n".join(["path,dataset,license,group", *rows])
    (folder / "manifest.csv").write_text(text + "\n")


def test_it_skips_what_it_cannot_use_and_says_so(root: Path, tmp_path: Path) -> None:
    corpus = Corpus([root], 16000, tmp_path / "cache")
    assert {clip.name for clip in corpus.clips} == {
        "music/m0.wav", "music/m1.wav", *(f"speech/s{i}.wav" for i in range(4))
    }  # fmt: skip
    assert len(corpus.skipped) == 2
    assert any("broken.wav" in reason for reason in corpus.skipped)
    assert any("silence" in reason for reason in corpus.skipped)
    music = next(clip for clip in corpus.clips if clip.domain == "music")
    assert music.length == 16000  # 24000 samples at 24 kHz
    assert Corpus([root], 16000, tmp_path / "cache").clips == corpus.clips


def test_samples_are_those_of_the_files(root: Path, tmp_path: Path) -> None:
    import soundfile

    corpus = Corpus([root], 16000, tmp_path / "cache")
    for clip in corpus.clips:
        if clip.domain == "speech":
            expected, _ = soundfile.read(root / clip.name, dtype="float64")
            found = corpus.samples[clip.start : clip.start + clip.length] / 32767.0
            np.testing.assert_allclose(found, expected, atol=1 / 32767)


def test_split_keeps_groups_whole_and_every_domain_on_both_sides(
    root: Path, tmp_path: Path
) -> None:
    train, held_out = Corpus([root], 16000, tmp_path / "cache").split()
    assert not {clip.group for clip in train} & {clip.group for clip in held_out}
    assert {clip.domain for clip in train} == {clip.domain for clip in held_out}
    assert len([clip for clip in held_out if clip.domain == "speech"]) == 2


def test_several_places_and_manifests(root: Path, tmp_path: Path) -> None:
    listed = tmp_path / "listed.csv"
    listed.write_text("path,domain,group\ntrain/speech/s0.wav,voices,a\nnowhere.wav,voices,b\n")
    corpus = Corpus([root, listed], 16000, tmp_path / "cache")
    assert corpus.domains == ["music", "speech", "voices"]
    assert {clip.name for clip in corpus.clips if clip.domain == "voices"} == {
        "listed/train/speech/s0.wav"
    }
    assert any("nowhere.wav" in reason for reason in corpus.skipped)
    with pytest.raises(InputError, match="once"):
        Corpus([root, root], 16000, tmp_path / "cache")


def test_no_usable_audio_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="none usable"):
        Corpus([tmp_path / "empty"], 16000, tmp_path / "cache")
    with pytest.raises(InputError, match="no such path"):
        Corpus([tmp_path / "nowhere"], 16000, tmp_path / "cache")


def test_a_cache_that_cannot_be_written(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError, match="No space left"):
        Corpus([root], 16000, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.pcm"))


def test_what_killed_processes_left_is_removed(root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    Corpus([root], 16000, cache)
    (index,) = cache.glob("*.json")
    index.unlink()  # so that it is decoded again
    old, fresh = (cache / f"{index.stem}.{pid}.pcm" for pid in (1, 2))
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    Corpus([root], 16000, cache)
    assert fresh.exists()
    assert not old.exists()


def test_sources_with_licences(licensed: Path, tmp_path: Path) -> None:
    audio_fixtures.write_wav(licensed / "speech/s3.wav", audio_fixtures.babble(0.6, seed=3))
    assert Corpus([licensed], 16000, tmp_path / "cache").sources == [
        "A: CC0 (2 clips, 0.0 min)",
        "B: licence not stated (1 clips, 0.0 min)",
        "not in a manifest: licence not stated (1 clips, 0.0 min)",
    ]
    (licensed / "manifest.csv").unlink()
    assert Corpus([licensed], 16000, tmp_path / "cache").sources == NO_SOURCES


def test_an_edited_manifest_takes_effect(licensed: Path, tmp_path: Path) -> None:
    before = Corpus([licensed], 16000, tmp_path / "cache")
    _manifest(licensed, *(f"speech/s{i}.wav,A,CC0,same" for i in range(3)))
    after = Corpus([licensed], 16000, tmp_path / "cache")
    assert {clip.group for clip in before.clips} == {"x", "y"}
    assert {clip.group for clip in after.clips} == {"same"}
    assert before.sha256 != after.sha256


def test_a_rewritten_file_is_decoded_again(licensed: Path, tmp_path: Path) -> None:
    before = Corpus([licensed], 16000, tmp_path / "cache")
    path = licensed / "speech/s0.wav"
    size, time = path.stat().st_size, path.stat().st_mtime_ns
    audio_fixtures.write_wav(path, audio_fixtures.babble(0.6, seed=77))
    os.utime(path, ns=(time + 1000, time + 1000))
    assert path.stat().st_size == size
    after = Corpus([licensed], 16000, tmp_path / "cache")
    assert not np.array_equal(before.samples, after.samples)
    assert before.sha256 != after.sha256


def test_the_same_files_elsewhere_are_the_same_corpus(licensed: Path, tmp_path: Path) -> None:
    copied = tmp_path / "elsewhere"
    shutil.copytree(licensed, copied, copy_function=shutil.copyfile)
    (copied / "speech/._s0.wav").write_text("left by an archiver")
    corpora = [Corpus([folder], 16000, tmp_path / "cache") for folder in (licensed, copied)]
    assert corpora[0].sha256 == corpora[1].sha256
    assert corpora[1].skipped == []


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"file,group\na,b\n", "column 'path'"), (b"", "an empty file"), (b"path\n\xff\n", "UTF-8")],
    ids=["no path", "empty", "encoding"],
)
def test_a_manifest_that_cannot_be_used(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_manifest(tmp_path)
