"""Which files a folder holds, and what their names have in common."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from data_files import put

from sqbench.data.files import audio_files, listed, pair_key, printable
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


def test_folders_that_all_link_to_each_other_end(tmp_path: Path) -> None:
    names = [f"f{i}" for i in range(10)]
    for name in names:
        put(tmp_path / name / "x.wav")
        for other in names:
            if other != name:
                (tmp_path / name / other).symlink_to(tmp_path / other)
    found = audio_files(tmp_path)
    assert {f"{name}/x.wav" for name in names} <= set(found)
    assert len(found) < 1000  # 9 864 100 ways lead to a file


def test_links_out_of_the_folder_are_followed(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere/deep/x.wav")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/speech").symlink_to("../elsewhere")
    assert audio_files(tmp_path / "root") == ["speech/deep/x.wav"]


def test_what_is_not_read_is_said_in_a_line() -> None:
    names = [f"{i}.txt" for i in range(7)] + ["song.m4a", "README"]
    assert listed(names) == (
        "song.m4a, 0.txt, 1.txt, 2.txt, 3.txt and 4 more (7 .txt, 1 .m4a, 1 no extension)"
    )


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
