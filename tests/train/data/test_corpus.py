"""Training audio: what is found, skipped, cached and held out."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
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
            expected, _ = soundfile.read(root / clip.name, dtype="int16")
            found = corpus.samples[clip.start : clip.start + clip.length]
            np.testing.assert_array_equal(found, expected)


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


@pytest.mark.parametrize(
    "row",
    [
        "speech/s{}.wav", "speech\\s{}.wav", "licensed/speech/s{}.wav", "{root}/speech/s{}.wav",
        "/elsewhere/licensed/speech/s{}.wav", "speech//s{}.wav", "./speech/s{}.wav",
    ],
    ids=["plain", "backslashes", "from above", "absolute", "absolute elsewhere", "double", "dot"],
)  # fmt: skip
def test_rows_find_their_files(licensed: Path, tmp_path: Path, row: str) -> None:
    rows = [row.replace("{root}", str(licensed)).format(i) + ",A,CC0,one" for i in range(3)]
    _manifest(licensed, *rows, ",,,")
    corpus = Corpus([licensed], 16000, tmp_path / "cache")
    assert {clip.group for clip in corpus.clips} == {"one"}
    assert corpus.sources == ["A: CC0 (3 clips, 0.0 min)"]


def test_names_in_another_unicode_form(tmp_path: Path) -> None:
    folder, name = tmp_path / "names", unicodedata.normalize("NFD", "zoë")
    audio_fixtures.write_wav(folder / f"speech/{name}.wav", audio_fixtures.babble(0.6))
    _manifest(folder, unicodedata.normalize("NFC", f"speech/{name}.wav") + ",A,CC0,one")
    assert [clip.group for clip in Corpus([folder], 16000, tmp_path / "cache").clips] == ["one"]


def test_rows_without_a_file_are_an_error(licensed: Path, tmp_path: Path) -> None:
    _manifest(licensed, "speech/s0.wav,A,CC0,x", "speech/gone.wav,A,CC0,y")
    with pytest.raises(InputError, match=r"1 of 2 without: line 3 \(speech/gone\.wav\)"):
        Corpus([licensed], 16000, tmp_path / "cache")


def test_stretches_of_a_long_recording(tmp_path: Path) -> None:
    sound = audio_fixtures.babble(3.0)
    audio_fixtures.write_wav(tmp_path / "long.wav", sound)
    rows = ({"path": "long.wav", "start": 0.5, "duration": 1}, {"path": "long.wav", "start": 2})
    (tmp_path / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus = Corpus([tmp_path / "clips.jsonl"], 16000, tmp_path / "cache")
    assert [(clip.name, clip.length) for clip in corpus.clips] == [
        ("long.wav@0.500-1.500", 16000), ("long.wav@2.000-end", 16000)
    ]  # fmt: skip
    assert {clip.group for clip in corpus.clips} == {"long.wav"}
    (tmp_path / "clips.csv").write_text("path,start,end\nlong.wav,2,1\n")
    with pytest.raises(InputError, match="line 2"):
        Corpus([tmp_path / "clips.csv"], 16000, tmp_path / "cache")


def test_links_are_followed_and_end(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    audio_fixtures.write_wav(elsewhere / "a.wav", audio_fixtures.babble(0.6))
    data = tmp_path / "data"
    data.mkdir()
    (data / "speech").symlink_to("../elsewhere")
    (elsewhere / "back").symlink_to("../data")
    assert [clip.name for clip in Corpus([data], 16000, tmp_path / "cache").clips] == [
        "speech/a.wav"
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_without_permission_is_an_error(licensed: Path, tmp_path: Path) -> None:
    (licensed / "speech").chmod(0)
    try:
        with pytest.raises(InputError, match="Permission denied"):
            Corpus([licensed], 16000, tmp_path / "cache")
    finally:
        (licensed / "speech").chmod(0o755)


def test_another_decoder_does_not_use_the_old_cache(
    licensed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Corpus([licensed], 16000, tmp_path / "cache")
    monkeypatch.setattr("sqcodec.train.data.corpus.DECODER", 99)
    Corpus([licensed], 16000, tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("*.pcm"))) == 2
