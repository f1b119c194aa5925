"""Which files a folder holds, and what their names have in common."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from data_files import put

from sqbench.data.files import audio_files, pair_key, printable
from sqcodec.errors import InputError


def test_two_links_to_one_folder_are_both_read(tmp_path: Path) -> None:
    put(tmp_path / "root/real/x.wav")
    (tmp_path / "root/alias").symlink_to(tmp_path / "root/real")
    assert audio_files(tmp_path / "root") == ["alias/x.wav", "real/x.wav"]


def test_links_that_lead_nowhere_or_back_end(tmp_path: Path) -> None:
    put(tmp_path / "a/x.wav")
    (tmp_path / "a/self").symlink_to(tmp_path / "a/self")
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / "a/gone.wav").symlink_to(tmp_path / "nothing.wav")
    # A dangling link stays a clip, which fails on its own when it is read.
    assert audio_files(tmp_path) == ["a/gone.wav", "a/x.wav"]


def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "locked/x.wav")
    listdir = os.listdir

    def denied(folder: str) -> list[str]:
        if folder.endswith("locked"):
            raise PermissionError(13, "Permission denied", folder)
        return listdir(folder)

    monkeypatch.setattr(os, "listdir", denied)
    with pytest.raises(InputError, match=r"locked.*Permission denied"):
        audio_files(tmp_path)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("a/b.WAV", "a/b"),
        ("v1.2", "v1.2"),
        ("v1.2.mp3", "v1.2"),
        ("e\N{COMBINING ACUTE ACCENT}.wav", "\N{LATIN SMALL LETTER E WITH ACUTE}"),
    ],
    ids=["extension", "none of ours", "two dots", "Unicode form"],
)
def test_pair_key(name: str, key: str) -> None:
    assert pair_key(name) == key


def test_printable() -> None:
    assert printable("caf\udce9 日本") == r"caf\udce9 日本"
