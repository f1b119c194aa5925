"""Manifests as they come: from other machines, other tools, and with stretches of long files."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from data_files import put, tone

from sqbench.data.base import Utterance
from sqbench.data.manifest import ManifestSource
from sqcodec.errors import InputError

NAMES = tuple(f"speech/zoë{i}.wav" for i in range(3))


def clips(path: Path, text: str | bytes) -> list[Utterance]:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(ManifestSource(path, domain="speech").utterances())


def problem(clip: Utterance) -> str:
    with pytest.raises(InputError) as caught:
        clip.read()
    return str(caught.value)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in NAMES:
        put(tmp_path / "data" / unicodedata.normalize("NFD", name))
    return tmp_path / "data"


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "./{}",
        "speech//{name}",
        "data/{}",
        "../data/{}",
        "{root}/{}",
        "file://{root}/{}",
        "/home/somebody/corpus/{}",
        "corpus/x/{}",
        "//{}",
        "C:\\Users\\me\\{back}",
        "{back}",
    ],
)
@pytest.mark.parametrize("unicode", ["NFC", "NFD"])
def test_paths_lead_to_their_files_wherever_they_were_written(
    data: Path, form: str, unicode: Literal["NFC", "NFD"]
) -> None:
    rows = [
        form.replace("{}", name)
        .replace("{back}", name.replace("/", "\\"))
        .replace("{root}", str(data))
        .replace("{name}", name.split("/")[1])
        for name in NAMES
    ]
    text = unicodedata.normalize(unicode, "path\n" + "\n".join(rows) + "\n")
    found = clips(data / "m.csv", text)
    assert [os.path.basename(clip.path or "") for clip in found] == [
        unicodedata.normalize("NFD", name.split("/")[1]) for name in NAMES
    ]
    assert [clip.id for clip in found] == [unicodedata.normalize("NFD", name) for name in NAMES]
    for clip in found:
        clip.read()


def test_a_missing_file_is_not_taken_for_its_namesake_elsewhere(data: Path) -> None:
    put(data / "zoë0.wav")
    put(data.parent / "far.wav")
    found = clips(data / "m.csv", "path\nspeech/zoë1.wav\nnew/zoë0.wav\nfar.wav\n")
    assert "no such file" in problem(found[1])
    assert "no such file" in problem(found[2])
    doubtful = clips(data / "n.csv", "path\n/x/a/zoë0.wav\n/x/b/zoë0.wav\n/x/speech/zoë1.wav\n")
    assert [clip.problem is None for clip in doubtful] == [False, False, True]
    assert "fits other rows too" in problem(doubtful[0])


def test_ids_of_files_outside_are_relative_to_their_common_folder(tmp_path: Path) -> None:
    for name in ("far/a/x.wav", "far/b/x.wav", "near/y.wav"):
        put(tmp_path / name)
    rows = f"path\n{tmp_path}/far/a/x.wav\n../far/b/x.wav\ny.wav\n{tmp_path}/near/y.wav\n"
    found = clips(tmp_path / "near/m.csv", rows)
    assert [clip.id for clip in found] == ["a/x.wav", "b/x.wav", "y.wav", "y.wav~5"]
    assert "line 4" in problem(found[3])


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".csv", "path,start,duration\nlong.wav,1.5,0.5\n"),
        (".csv", "path,offset,duration\nlong.wav,1.5,0.5\n"),
        (".csv", "path,start,end\nlong.wav,0:01.5,2\n"),
        (".csv", "path,start,end,duration\nlong.wav,1.5,2.0,4.0\n"),
        (".csv", "\ufeffpath , start,end,,\r\nlong.wav,1.5,2.0,,\r\n,,,,\r\n"),
        (".csv", "path,start,end\rlong.wav,1.5,2.0\r"),
        (".csv", "path;start;end\nlong.wav;1.5;2.0\n"),
        (".tsv", "path\tstart\tend\nlong.wav\t1.5\t2.0\n"),
        (".jsonl", '{"path": "long.wav", "offset": 1.5, "duration": 0.5},\n'),
    ],
)
def test_stretches_are_honoured(tmp_path: Path, suffix: str, text: str) -> None:
    samples = np.sin(np.arange(4 * 16000) ** 1.5 * 1e-3) * 0.5
    put(tmp_path / "long.wav", samples)
    (clip,) = clips(tmp_path / f"m{suffix}", text)
    found, rate = clip.read()
    np.testing.assert_array_equal(found, samples[24000:32000].astype(np.float32).astype(np.float64))
    assert rate == 16000
    assert clip.id == "long_1.500-2.000.wav"
    assert clip.labels == {}


def test_clips_of_one_file_have_ids_and_hashes_of_their_own(tmp_path: Path) -> None:
    put(tmp_path / "long.wav", tone(3.0))
    text = "path,start,duration\nlong.wav,0,1\nlong.wav,1,1\nlong.wav,2,1\nlong.wav,1,1\n"
    found = clips(tmp_path / "m.csv", text)
    assert [clip.id for clip in found] == [
        "long_0.000-1.000.wav",
        "long_1.000-2.000.wav",
        "long_2.000-3.000.wav",
        "long_1.000-2.000.wav~5",
    ]
    assert len({clip.sha256() for clip in found[:3]}) == 3
    assert found[1].read(found[1].sha256())[0].shape == (16000,)
    put(tmp_path / "long.wav", tone(3.0, frequency=300))
    with pytest.raises(InputError, match="changed"):
        found[1].read("0" * 64)


def test_a_duration_that_is_the_files_own_changes_nothing(tmp_path: Path) -> None:
    put(tmp_path / "a.wav", np.full(16000 + 5, 0.1))
    (plain,) = clips(tmp_path / "m.csv", "path\na.wav\n")
    for text in ("path,duration\na.wav,1.0\n", "path,offset,duration_s\na.wav,0.0,1.000\n"):
        (stated,) = clips(tmp_path / "n.csv", text)
        assert (stated.id, stated.sha256()) == (plain.id, plain.sha256())
        assert len(stated.read()[0]) == len(stated.read(stated.sha256())[0]) == 16005


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("-1,1,", "seconds in column 'start'"),
        ("soon,1,", "seconds in column 'start'"),
        ("nan,1,", "seconds in column 'start'"),
        ("1,0.5,", "an end behind the start"),
        ("0.1,,0", "a duration above 0"),
        ("2,,", "a start within"),
        ("0.5,,30", "30.5 s"),
    ],
)
def test_stretches_that_cannot_be_cost_their_row(tmp_path: Path, cells: str, message: str) -> None:
    put(tmp_path / "a.wav", tone(1.0))
    text = f"path,start,end,duration\na.wav,{cells}\na.wav,0.2,0.4,\n"
    bad, good = clips(tmp_path / "m.csv", text)
    assert message in problem(bad)
    assert len(good.read()[0]) == 3200


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("speech/zoë0.wav,b,speech,x", "found 4"),
        ("speech/zoë0.wav,b,noise", "'noise'"),
        (",b,speech", "'path'"),
        ("speech/zoë1.wav,b,speech", "already in line 2"),
        ("speech/zoë2.wav,a,music", "one category in set 'a'"),
        ("speech/zo\udceb.wav,b,speech", "byte 0xeb"),
        ("gone.wav,b,speech", "no such file"),
        ('"speech/zoë0.wav,b,speech', "no row behind it"),
    ],
)
def test_a_bad_row_costs_itself(data: Path, row: str, message: str) -> None:
    text = f"path,dataset,domain\nspeech/zoë1.wav,a,speech\n{row}\n"
    good, bad = clips(data / "m.csv", text.encode("utf-8", "surrogateescape"))
    assert len(good.read()[0])
    assert message in problem(bad)
    if "no such" not in message:
        assert "m.csv, line 3" in problem(bad)


def test_a_manifest_of_bad_rows_alone_is_an_error(data: Path) -> None:
    with pytest.raises(InputError, match=r"m\.csv, line 2.*'noise'"):
        clips(data / "m.csv", "path,domain\nspeech/zoë0.wav,noise\nspeech/zoë1.wav,noise\n")


def test_spreadsheets_text_is_read(data: Path) -> None:
    text = "path\ttext\nspeech/zoë0.wav\tgrüß dich\n"
    (clip,) = clips(data / "m.tsv", text.encode("utf-16"))
    assert clip.labels == {"text": "grüß dich"}
    assert len(clip.read()[0])
