from __future__ import annotations

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


def test_domain_is_required_with_remedy(tmp_path: Path) -> None:
    put(tmp_path / "a.wav")
    with pytest.raises(InputError, match=r"--domain speech, music or general"):
        FolderSource(tmp_path)
    with pytest.raises(InputError, match="'noise'"):
        FolderSource(tmp_path, domain="noise")


def test_same_stem_twice_names_both(tmp_path: Path) -> None:
    put(tmp_path / "s/a.wav")
    put(tmp_path / "s/a.flac")
    with pytest.raises(InputError, match=r"s/a\.flac and s/a\.wav"):
        FolderSource(tmp_path, domain="speech").utterances()


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
