from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from sqbench.data.base import (
    Utterance,
    category_of,
    checked_id,
    known_domain,
    refuse_equal_stems,
    refuse_mixed_categories,
)
from sqcodec.errors import InputError


@pytest.mark.parametrize(
    ("domain", "category"), [("speech", "speech"), ("music", "audio"), ("general", "audio")]
)
def test_category_follows_domain(domain: str, category: str) -> None:
    assert category_of(domain) == category


def test_known_domain_ignores_case_and_spaces() -> None:
    assert known_domain(" Music ", "here") == "music"


def test_unknown_domain_names_place_and_choice() -> None:
    with pytest.raises(InputError, match=r"row 7.*speech, music or general.*'animals'"):
        known_domain("animals", "row 7")


def test_content_and_hash_of_payload_and_path(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"12345")
    expected = hashlib.sha256(b"12345").hexdigest()
    clip = Utterance(id="a", dataset="d", category="speech", domain="speech", path=path)
    assert clip.sha256() == expected
    assert replace(clip, path=None, payload=b"12345").sha256() == expected


@pytest.mark.parametrize("name", ["/a.wav", "../a.wav", "a/../../b.wav", "", ".", "a\0b"])
def test_id_that_would_leave_the_folder_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="relative path"):
        checked_id(name, "source")


def test_id_keeps_unicode_and_inner_dots() -> None:
    assert checked_id("Übung/né 1..wav", "source") == "Übung/né 1..wav"


def test_id_from_bytes_that_are_no_utf8_is_refused() -> None:
    with pytest.raises(InputError, match=r"UTF-8.*Rename"):
        checked_id(b"caf\xe9.wav".decode("utf-8", "surrogateescape"), "source")


def test_equal_stems_are_named() -> None:
    with pytest.raises(InputError, match=r"both s/a\.wav and s/a\.flac"):
        refuse_equal_stems(["s/a.wav", "s/b.wav", "s/a.flac"], "here")


def test_only_audio_extensions_count_as_extensions() -> None:
    refuse_equal_stems(["1.5", "1.7", "a.b.wav", "a.c.wav", "t/a.b.wav"], "here")


def test_mixed_categories_in_a_set_are_named() -> None:
    clips = [
        Utterance(id=f"{domain}.wav", dataset="d", category=category_of(domain), domain=domain)
        for domain in ("music", "general", "speech")
    ]
    assert list(refuse_mixed_categories(clips[:2], "here")) == clips[:2]
    with pytest.raises(InputError, match=r"music\.wav \(music\) and speech\.wav \(speech\)"):
        list(refuse_mixed_categories(clips, "here"))
