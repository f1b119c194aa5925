from __future__ import annotations

import os
from pathlib import Path

import pytest
from data_files import put

from sqbench.data.folder import FolderSource
from sqcodec.errors import InputError


def test_ids_sets_and_category(tmp_path: Path) -> None:
    root = tmp_path / "tunes"
    for name in ("z.wav", "pop/b.flac", "pop/live/a.WAV", ".hidden/c.wav", "pop/.d.wav"):
        put(root / name)
    (root / "pop/cover.jpg").write_bytes(b"no audio")
    source = FolderSource(root, domain="music")
    clips = list(source.utterances())
    assert [(clip.id, clip.dataset) for clip in clips] == [
        ("pop/b.flac", "pop"),
        ("pop/live/a.WAV", "pop"),
        ("z.wav", "tunes"),
    ]
    assert {(clip.category, clip.domain) for clip in clips} == {("audio", "music")}
    assert clips[1].content() == (root / "pop/live/a.WAV").read_bytes()
    assert source.name == "tunes"


def test_an_unknown_domain_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    with pytest.raises(InputError, match="'noise'"):
        FolderSource(tmp_path, domain="noise")


def test_first_level_folders_name_the_domain(tmp_path: Path) -> None:
    for name in ("speech/a.wav", "Music/x/b.wav", "general/c.wav", "misc/d.wav", "e.wav"):
        put(tmp_path / name)
    clips = list(FolderSource(tmp_path).utterances())
    assert {clip.id: (clip.dataset, clip.domain, clip.category) for clip in clips} == {
        "speech/a.wav": ("speech", "speech", "speech"),
        "Music/x/b.wav": ("Music", "music", "audio"),
        "general/c.wav": ("general", "general", "audio"),
        "misc/d.wav": ("misc", "all", "all"),
        "e.wav": (tmp_path.name, "all", "all"),
    }
    assert {clip.domain for clip in FolderSource(tmp_path, domain="music").utterances()} == {
        "music"
    }


def test_files_of_one_stem_are_clips_of_their_own(tmp_path: Path) -> None:
    put(tmp_path / "s/a.wav")
    put(tmp_path / "s/a.flac")
    clips = FolderSource(tmp_path, domain="speech").utterances()
    assert [clip.id for clip in clips] == ["s/a.flac", "s/a.wav"]


def test_what_is_not_read_is_listed(tmp_path: Path) -> None:
    for name in ("a.wav", "b.aiff", "c.au", "notes.mat"):
        put(tmp_path / name) if name != "notes.mat" else (tmp_path / name).write_bytes(b"table")
    for name in ("d.m4a", "e.txt", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    source = FolderSource(tmp_path)
    assert [clip.id for clip in source.utterances()] == ["a.wav", "b.aiff", "c.au"]
    assert source.unread() == ("d.m4a", "e.txt", "notes.mat")


def test_a_name_that_is_not_utf8_costs_its_clip(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    try:
        put(tmp_path / "b.wav").rename(tmp_path / os.fsdecode(b"caf\xe9.wav"))
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    good, bad = FolderSource(tmp_path).utterances()
    assert good.problem is None
    assert bad.id == r"caf\udce9.wav"
    with pytest.raises(InputError, match="UTF-8"):
        bad.read()


def test_missing_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        FolderSource(tmp_path / "missing", domain="speech")
    with pytest.raises(InputError, match="none, at any depth"):
        FolderSource(tmp_path, domain="speech").utterances()


def test_linked_folders_are_read_and_cycles_end(tmp_path: Path) -> None:
    put(tmp_path / "far/a.wav")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/near").symlink_to(tmp_path / "far")
    (tmp_path / "far/back").symlink_to(tmp_path / "root")
    clips = list(FolderSource(tmp_path / "root", domain="speech").utterances())
    assert [clip.id for clip in clips] == ["near/a.wav"]
