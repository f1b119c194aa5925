"""Which file belongs to which."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from sqbench.data.pairing import match_folders, natural_key, not_read
from sqcodec.errors import InputError


def folder(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def test_pairs_by_relative_path_extensions_aside(tmp_path: Path) -> None:
    reference = folder(tmp_path / "r", "a/clip10.wav", "a/clip2.WAV", "b/clip2.flac", "v1.2.wav")
    estimate = folder(tmp_path / "e", "b/clip2.wav", "a/clip2.ogg", "a/clip10.wav", "v1.2.mp3")
    matches = match_folders(reference, estimate)
    assert [match.id for match in matches] == [
        "a/clip2.WAV",
        "a/clip10.wav",
        "b/clip2.flac",
        "v1.2.wav",
    ]
    assert [match.problem for match in matches] == [None] * 4
    assert matches[0].reference == reference / "a/clip2.WAV"
    assert matches[0].estimate == estimate / "a/clip2.ogg"


def test_other_and_hidden_files_are_not_looked_at(tmp_path: Path) -> None:
    reference = folder(tmp_path / "r", "a.wav", "a.txt", "._a.wav", ".cache/b.wav")
    assert len(match_folders(reference, folder(tmp_path / "e", "a.wav"))) == 1


@pytest.mark.parametrize("side", ["r", "e"])
def test_a_file_on_one_side_only_is_named(tmp_path: Path, side: str) -> None:
    folders = {name: folder(tmp_path / name, "a.wav") for name in ("r", "e")}
    folder(folders[side], "sub/lonely.wav")
    matches = match_folders(folders["r"], folders["e"])
    assert [match.id for match in matches] == ["a.wav", "sub/lonely.wav"]
    assert matches[0].problem is None
    assert matches[1].problem is not None
    assert "sub/lonely.wav" in matches[1].problem
    assert str(folders["r"]) in matches[1].problem
    assert str(folders["e"]) in matches[1].problem


@pytest.mark.parametrize("side", ["r", "e"])
def test_a_name_that_fits_two_files_names_both(tmp_path: Path, side: str) -> None:
    folders = {name: folder(tmp_path / name, "a.wav", "b.wav") for name in ("r", "e")}
    folder(folders[side], "a.flac")
    first, second = match_folders(folders["r"], folders["e"])
    assert first.problem is not None
    assert "a.flac and a.wav" in first.problem
    assert second.problem is None


def test_names_pair_in_either_unicode_form(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "é/ü.wav") for form in ("NFC", "NFD"))
    reference, estimate = folder(tmp_path / "r", composed), folder(tmp_path / "e", decomposed)
    if os.listdir(reference) == os.listdir(estimate):
        pytest.skip("this file system has one form only")
    (match,) = match_folders(reference, estimate)
    assert (match.id, match.problem) == (composed, None)
    assert match.estimate == estimate / decomposed
    folder(reference, decomposed)
    assert "ambiguous" in (match_folders(reference, estimate)[0].problem or "")


def test_a_name_that_is_not_utf8_fails_alone(tmp_path: Path) -> None:
    names = ("a.wav", os.fsdecode(b"caf\xe9.wav"))
    try:
        folders = [folder(tmp_path / side, *names) for side in ("r", "e")]
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    good, bad = match_folders(*folders)
    assert (good.id, good.problem) == ("a.wav", None)
    assert (bad.id, bad.reference) == (r"caf\udce9.wav", None)
    assert bad.problem is not None
    assert "not UTF-8" in bad.problem
    assert bad.problem.encode()  # raises where it holds a part of a character


def test_linked_folders_are_followed(tmp_path: Path) -> None:
    estimate = folder(tmp_path / "e", "near/a.wav")
    far = folder(tmp_path / "far", "a.wav")
    reference = folder(tmp_path / "r")
    reference.mkdir()
    (reference / "near").symlink_to(far)
    (far / "back").symlink_to(reference)
    (match,) = match_folders(reference, estimate)
    assert (match.id, match.problem) == ("near/a.wav", None)


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    good = folder(tmp_path / "r", "a.wav")
    empty = folder(tmp_path / "e", "notes.txt")
    with pytest.raises(InputError, match="no such folder"):
        match_folders(good, tmp_path / "missing")
    with pytest.raises(InputError, match="a file"):
        match_folders(good / "a.wav", good)
    with pytest.raises(InputError, match=r"expected audio files \(wav, flac"):
        match_folders(good, empty)


def test_natural_order() -> None:
    names = ["clip10", "clip2", "clip02", "2a", "clip", "Clip2"]
    assert sorted(names, key=natural_key) == ["2a", "Clip2", "clip", "clip02", "clip2", "clip10"]


def test_two_files_are_a_pair_whatever_they_are_called(tmp_path: Path) -> None:
    for name in ("a.wav", "b.flac"):
        (tmp_path / name).touch()
    (match,) = match_folders(tmp_path / "a.wav", tmp_path / "b.flac")
    assert (match.id, match.reference, match.estimate) == (
        "a.wav", tmp_path / "a.wav", tmp_path / "b.flac",
    )  # fmt: skip
    with pytest.raises(InputError):
        match_folders(tmp_path / "a.wav", tmp_path)
    assert not_read(tmp_path / "a.wav") == ()
