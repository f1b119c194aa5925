from __future__ import annotations

from pathlib import Path

import pytest
from data_files import put

from sqbench.data.manifest import ManifestSource
from sqbench.data.rows import read_rows
from sqcodec.errors import InputError


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_rows(tmp_path: Path) -> None:
    audio = put(tmp_path / "clips/ä b.wav")
    other = put(tmp_path.parent / "elsewhere.wav")
    path = written(
        tmp_path / "talks.csv",
        "\ufeffpath,dataset,domain,text,speaker,id,duration\r\n"
        'clips/ä b.wav,lectures,Speech,"one, two",ann,,0.1\r\n'
        "\r\n"
        f"{other},,music,,,loud/x.wav,\r\n"
        "missing.wav,,music,,,,\r\n",
    )
    source = ManifestSource(path)
    first, second, third = source.utterances()
    assert (first.id, first.dataset, first.category) == ("clips/ä b.wav", "lectures", "speech")
    assert first.labels == {"text": "one, two", "speaker": "ann"}
    assert first.content() == audio.read_bytes()
    assert (second.id, second.dataset, second.category) == ("loud/x.wav", "talks", "audio")
    assert second.path == other
    assert third.id == "missing.wav"
    with pytest.raises(FileNotFoundError):
        third.sha256()
    assert (source.name, source.location) == ("talks", str(path))


def test_jsonl_rows(tmp_path: Path) -> None:
    path = written(
        tmp_path / "m.jsonl",
        '{"path": "a.wav", "domain": "general", "event": "rain", "take": 3, "style": null}\n'
        "\n"
        '{"path": "../b.wav", "text": "line\\u2028separator"}',
    )
    first, second = ManifestSource(path, domain="music").utterances()
    assert first.labels == {"event": "rain", "take": "3"}
    assert (first.domain, second.domain) == ("general", "music")
    assert second.id == "b.wav"
    assert second.path == tmp_path / "../b.wav"
    assert second.labels["text"] == "line\u2028separator"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("m.csv", "path,domain\na.wav,\n", r"line 2.*'domain'.*--domain", id="domain"),
        pytest.param("m.csv", "path,domain\na.wav,noise\n", r"line 2.*'noise'", id="bad-domain"),
        pytest.param("m.csv", "file,domain\na.wav,speech\n", r"line 2.*'path'", id="no-path"),
        pytest.param(
            "m.csv", "path,domain\na.wav,speech,x\n", r"line 2.*2 cells.*found 3", id="wide-row"
        ),
        pytest.param("m.csv", "path,domain\na.wav\n", r"line 2.*'domain'", id="short-row"),
        pytest.param("m.csv", "path,path\na,b\n", r"line 1.*'path' more than once", id="header"),
        pytest.param("m.csv", 'path,domain\n"a.wav,speech\n', r"line 2.*CSV", id="open-quote"),
        pytest.param("m.csv", "path,domain\n", r"at least one row", id="no-row"),
        pytest.param("m.csv", "", r"at least one row", id="no-byte"),
        pytest.param(
            "m.csv", "path,domain,id\na.wav,speech,../x\n", r"line 2.*without '\.\.'", id="bad-id"
        ),
        pytest.param("m.jsonl", "{oops}\n", r"line 1.*JSON", id="bad-json"),
        pytest.param("m.jsonl", "[1, 2]\n", r"line 1.*JSON list", id="no-object"),
        pytest.param(
            "m.jsonl", '{"path": "a.wav", "text": ["x"]}\n', r"line 1.*'text'", id="nested"
        ),
    ],
)
def test_bad_manifest_names_file_and_line(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    path = written(tmp_path / name, text)
    domain = None if name.endswith("csv") else "speech"
    with pytest.raises(InputError, match=rf"{name}.*{message}"):
        list(ManifestSource(path, domain=domain).utterances())


def test_line_numbers_survive_quoted_newlines(tmp_path: Path) -> None:
    path = written(tmp_path / "m.csv", 'path,text\na.wav,"x\ny"\nb.wav,z\n')
    assert [line for line, _ in read_rows(path)] == [3, 4]


def test_other_encodings_are_named(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes("path,domain\ncafé.wav,speech\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"m\.csv, line 2.*UTF-8.*0xe9"):
        ManifestSource(path).utterances()


def test_missing_manifest_and_other_suffix(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        ManifestSource(tmp_path / "m.csv")
    with pytest.raises(InputError, match=r"\.csv or \.tsv or \.jsonl"):
        ManifestSource(written(tmp_path / "m.txt", "path\n"))
