from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from data_files import put

from sqbench.data.slt import OFFICIAL_SETS, SLTSource
from sqcodec.errors import InputError


def manifest(root: Path, *rows: str) -> None:
    (root / "manifest.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def test_the_eleven_sets() -> None:
    categories = list(OFFICIAL_SETS.values())
    assert len(categories) == 11
    assert categories.count("speech") == 8
    assert [name for name, kind in OFFICIAL_SETS.items() if kind == "audio"] == [
        "esc50",
        "fsd50k",
        "gunshot_triangulation",
    ]


def test_official_layout(tmp_path: Path) -> None:
    for name in ("voxceleb1/b.wav", "voxceleb1/a.flac", "esc50/1-100-A-0.wav"):
        put(tmp_path / "samples" / name)
    put(tmp_path / "samples/voxceleb1/deeper/c.wav")
    put(tmp_path / "samples/voxceleb1/UPPER.WAV")
    (tmp_path / "samples/voxceleb1/._b.wav").write_bytes(b"left by an archiver")
    (tmp_path / "samples/voxceleb1/notes.txt").write_text("no audio")
    put(tmp_path / "LibriSpeech/test-clean/1/2/1-2-0000.flac")
    source = SLTSource(tmp_path)
    clips = list(source.utterances())
    assert [clip.id for clip in clips] == [
        "esc50/1-100-A-0.wav",
        "voxceleb1/a.flac",
        "voxceleb1/b.wav",
    ]
    assert [clip.category for clip in clips] == ["audio", "speech", "speech"]
    assert [clip.dataset for clip in clips] == ["esc50", "voxceleb1", "voxceleb1"]
    assert all(clip.path is not None and clip.path.is_file() for clip in clips)
    assert (source.name, source.location) == (tmp_path.name, str(tmp_path))


def test_manifest_gives_other_sets_their_category_and_labels(tmp_path: Path) -> None:
    for name in ("emodb/a.wav", "emodb/b.wav", "songs/a.flac", "songs/b.flac", "librispeech/a.wav"):
        put(tmp_path / "samples" / name)
    manifest(
        tmp_path,
        "path,dataset,domain,duration,text,label,group,sha256",
        "samples/emodb/a.wav,emodb,speech,1.0,,anger,s1,00",
        "samples/songs/a.flac,x,music,1.0,,,,",
        "samples/songs/b.flac,x,general,1.0,,,,",
        'samples/librispeech/a.wav,other,speech,1.0,"HELLO, YOU",,,',
    )
    clips = {clip.id: clip for clip in SLTSource(tmp_path).utterances()}
    assert clips["emodb/a.wav"].labels == {"label": "anger", "group": "s1"}
    assert clips["emodb/b.wav"].category == clips["emodb/b.wav"].domain == "speech"
    assert clips["songs/a.flac"].category == clips["songs/b.flac"].category == "audio"
    assert clips["songs/a.flac"].domain == "music"
    assert clips["librispeech/a.wav"].labels == {"text": "HELLO, YOU"}
    assert clips["librispeech/a.wav"].dataset == "librispeech"


def test_protocol_outranks_manifest_in_the_eleven(tmp_path: Path) -> None:
    put(tmp_path / "samples/librispeech/a.wav")
    put(tmp_path / "samples/fsd50k/a.wav")
    manifest(
        tmp_path,
        "path,domain",
        "samples/librispeech/a.wav,music",
        "samples/fsd50k/a.wav,music",
    )
    clips = {clip.dataset: clip for clip in SLTSource(tmp_path).utterances()}
    assert (clips["librispeech"].category, clips["librispeech"].domain) == ("speech", "speech")
    assert (clips["fsd50k"].category, clips["fsd50k"].domain) == ("audio", "music")


def test_set_of_unknown_category_is_refused_with_remedy(tmp_path: Path) -> None:
    put(tmp_path / "samples/my_speech/a.wav")
    with pytest.raises(InputError, match=r"my_speech.*manifest\.csv.*--domain"):
        SLTSource(tmp_path).utterances()


def test_domain_argument_fills_what_the_manifest_leaves_open(tmp_path: Path) -> None:
    for name in ("mine/a.wav", "theirs/a.wav", "librispeech/a.wav"):
        put(tmp_path / "samples" / name)
    manifest(tmp_path, "path,domain", "samples/theirs/a.wav,general")
    clips = {clip.dataset: clip.domain for clip in SLTSource(tmp_path, domain="music").utterances()}
    assert clips == {"mine": "music", "theirs": "general", "librispeech": "speech"}


def test_set_with_two_categories_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "samples/mix/a.wav")
    put(tmp_path / "samples/mix/b.wav")
    manifest(tmp_path, "path,domain", "samples/mix/a.wav,speech", "samples/mix/b.wav,music")
    with pytest.raises(InputError, match=r"samples/mix.*one category.*music, speech"):
        SLTSource(tmp_path).utterances()


def test_bad_domain_in_manifest_names_the_line(tmp_path: Path) -> None:
    put(tmp_path / "samples/mine/a.wav")
    manifest(tmp_path, "path,domain", "samples/else/a.wav,speech", "samples/mine/a.wav,noise")
    with pytest.raises(InputError, match=r"manifest\.csv, line 3.*'noise'"):
        SLTSource(tmp_path).utterances()


def test_same_stem_twice_names_both(tmp_path: Path) -> None:
    put(tmp_path / "samples/quesst/a.wav")
    put(tmp_path / "samples/quesst/a.flac")
    with pytest.raises(InputError, match=r"quesst/a\.flac and quesst/a\.wav"):
        SLTSource(tmp_path).utterances()


def test_unicode_names_match_in_either_form(tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "Grüße 日本.wav")
    put(tmp_path / "samples/déjà" / name)
    composed = unicodedata.normalize("NFC", name)
    manifest(tmp_path, "path,domain,text", f"samples/déjà/{composed},speech,ja")
    (clip,) = SLTSource(tmp_path).utterances()
    assert clip.id == f"déjà/{name}"
    assert clip.labels == {"text": "ja"}


def test_folder_without_samples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder 'samples'"):
        SLTSource(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        SLTSource(tmp_path / "missing")


def test_samples_without_audio_is_refused(tmp_path: Path) -> None:
    (tmp_path / "samples/my_empty_set").mkdir(parents=True)
    with pytest.raises(InputError, match=r"\.wav or \.flac.*none"):
        SLTSource(tmp_path).utterances()


def test_real_evaluation_set() -> None:
    default = Path(__file__).resolve().parents[2].parent / "shared"
    root = Path(os.environ.get("SQBENCH_SHARED", default)) / "data/eval"
    if not root.is_dir():
        pytest.skip(f"no evaluation audio in {root} (set SQBENCH_SHARED)")
    clips = list(SLTSource(root).utterances())
    assert len(clips) == 193
    assert {clip.dataset: clip.category for clip in clips} == {
        "emodb": "speech",
        "esc50": "audio",
        "librispeech": "speech",
        "librosa": "audio",
        "sms_tools": "audio",
        "sonic_pi": "audio",
        "ultrastar": "audio",
        "urbansound8k": "audio",
    }
    texts = [clip.labels.get("text") for clip in clips if clip.dataset == "librispeech"]
    assert all(texts)
