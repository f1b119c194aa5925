"""Hugging Face data in its commonest layouts, without a package that decodes."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import datasets
import pytest
from data_files import encoded, put

from sqbench.data.hub import HubSource
from sqbench.errors import InputError


@pytest.fixture(autouse=True)
def _quiet_local_and_without_torchcodec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    for name in ("torchcodec", "torchcodec.encoders", "torchcodec.decoders"):
        monkeypatch.setitem(sys.modules, name, None)
    datasets.disable_progress_bars()
    encode = datasets.Audio.encode_example
    yield
    assert datasets.Audio.encode_example is encode
    datasets.enable_progress_bars()


def audio_folder(root: Path) -> Path:
    for name in ("a.wav", "b.flac"):
        put(root / "train" / name)
    text = "file_name,text,style\na.wav,hello,calm\nb.flac,world,loud\n"
    (root / "train/metadata.csv").write_text(text)
    return root


def webdataset(root: Path) -> Path:
    root.mkdir()
    with tarfile.open(root / "train-000.tar", "w") as tar:
        for number in range(3):
            sample = {
                "flac": encoded(300.0 + number),
                "txt": f"words {number}".encode(),
                "json": json.dumps({"speaker": "ann", "nested": {"x": 1}}).encode(),
            }
            for extension, content in sample.items():
                entry = tarfile.TarInfo(f"clip{number}.{extension}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return root


@pytest.mark.parametrize("streaming", [False, True])
def test_audio_folder(tmp_path: Path, streaming: bool) -> None:
    root = audio_folder(tmp_path / "mine")
    source = HubSource(str(root), domain="speech", streaming=streaming)
    first, second = source.utterances()
    assert first.content() == (root / "train/a.wav").read_bytes()
    assert second.labels == {"text": "world", "style": "loud"}
    assert len(second.read()[0]) == 800


@pytest.mark.parametrize("streaming", [False, True])
def test_webdataset(tmp_path: Path, streaming: bool) -> None:
    source = HubSource(str(webdataset(tmp_path / "mine")), domain="speech", streaming=streaming)
    clips = list(source.utterances())
    assert [clip.id for clip in clips] == ["train/clip0", "train/clip1", "train/clip2"]
    assert clips[1].content() == encoded(301.0)
    assert clips[2].labels == {"text": "words 2", "speaker": "ann"}


@pytest.mark.parametrize("streaming", [False, True])
def test_parquet_with_bytes_alone(tmp_path: Path, streaming: bool) -> None:
    import pandas

    (tmp_path / "mine").mkdir()
    table = pandas.DataFrame({"audio": [encoded(), encoded(300)], "text": ["one", "two"]})
    table.to_parquet(tmp_path / "mine/train.parquet")
    clips = list(HubSource(f"{tmp_path}/mine", domain="speech", streaming=streaming).utterances())
    assert clips[1].content() == encoded(300)
    assert clips[1].labels == {"text": "two"}


def stored(rows: list[dict[str, object]], folder: Path) -> Path:
    kinds = datasets.Features(
        {"audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}}
    )
    columns = {"audio": [row["audio"] for row in rows]}
    datasets.Dataset.from_dict(columns, features=kinds).save_to_disk(str(folder))
    return folder


def test_a_path_without_bytes_is_found_or_named(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    rows: list[dict[str, object]] = [
        {"audio": {"bytes": None, "path": "wavs/a.wav"}},
        {"audio": {"bytes": None, "path": "wavs/gone.wav"}},
        {"audio": {"bytes": encoded(), "path": "b.flac"}},
    ]
    stored(rows, root)
    put(root / "wavs/a.wav")
    here, gone, held = HubSource(str(root), domain="speech").utterances()
    assert len(here.read()[0]) == 800
    assert held.content() == encoded()
    with pytest.raises(InputError, match=r"row 1.*'wavs/gone\.wav'"):
        gone.content()


def test_no_rows_is_an_error_in_words(tmp_path: Path) -> None:
    root = stored([], tmp_path / "mine")
    with pytest.raises(InputError, match="at least one row"):
        list(HubSource(str(root), domain="speech").utterances())


def test_a_folder_comes_before_a_name_with_signs(tmp_path: Path) -> None:
    root = stored([{"audio": {"bytes": encoded(), "path": "x"}}], tmp_path / "a@b:c")
    for reference in (str(root), f"{root}:train"):
        (clip,) = HubSource(reference, domain="speech").utterances()
        assert clip.id == "train/000000"
