from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pytest
from data_files import encoded, put

from sqbench.data.hub import HubSource
from sqcodec.errors import InputError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _quiet_and_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def table(rows: list[dict[str, Any]], **kinds: Any) -> datasets.Dataset:
    """A dataset whose ``audio`` is of type Audio (its own encoder would need torchcodec)."""
    text = datasets.Value("string")
    stored = {"bytes": datasets.Value("binary"), "path": text}
    features = {name: kinds.get(name, text) for name in rows[0]} | {"audio": stored}
    plain = datasets.Dataset.from_list(rows, features=datasets.Features(features))
    return plain.cast_column("audio", datasets.Audio())


def sound(frequency: float = 440.0) -> dict[str, Any]:
    return {"bytes": encoded(frequency), "path": f"{frequency}.flac"}


@pytest.fixture
def tiny() -> datasets.DatasetDict:
    """The shape of codec-superb-tiny: three splits, an id and the audio."""
    return datasets.DatasetDict(
        {
            split: table([{"id": f"{split}-{n}", "audio": sound(base + n)} for n in range(2)])
            for split, base in (("Speech", 300), ("Audio", 400), ("Music", 500))
        }
    )


def saved(data: Any, folder: Path) -> Path:
    data.save_to_disk(str(folder))
    return folder


def as_parquet(data: datasets.DatasetDict, folder: Path) -> Path:
    (folder / "data").mkdir(parents=True)
    for split in data:
        data[split].to_parquet(str(folder / f"data/{split}-00000-of-00001.parquet"))
    return folder


EXPECTED = [
    ("Audio/Audio-0", "tiny_Audio", "general", "audio"),
    ("Audio/Audio-1", "tiny_Audio", "general", "audio"),
    ("Music/Music-0", "tiny_Music", "music", "audio"),
    ("Music/Music-1", "tiny_Music", "music", "audio"),
    ("Speech/Speech-0", "tiny_Speech", "speech", "speech"),
    ("Speech/Speech-1", "tiny_Speech", "speech", "speech"),
]


@pytest.mark.parametrize(
    ("store", "streaming"),
    [
        pytest.param(saved, False, id="save_to_disk"),
        pytest.param(as_parquet, False, id="parquet"),
        pytest.param(as_parquet, True, id="parquet-streaming"),
    ],
)
def test_local_copies_of_the_tiny_layout(
    tiny: datasets.DatasetDict, tmp_path: Path, store: Any, streaming: bool
) -> None:
    folder = store(tiny, tmp_path / "tiny")
    source = HubSource(str(folder), streaming=streaming)
    clips = list(source.utterances())
    assert [(u.id, u.dataset, u.domain, u.category) for u in clips] == EXPECTED
    assert clips[0].content() == encoded(400.0)
    assert clips[5].content() == encoded(301.0)
    about = source.describe()
    assert about["location"] == f"hf:{folder}"
    assert about["splits"] == "Audio,Music,Speech"
    assert ("fingerprint_Speech" in about) is not streaming
    assert "revision" not in about


def test_one_split(tiny: datasets.DatasetDict, tmp_path: Path) -> None:
    folder = saved(tiny, tmp_path / "tiny")
    clips = list(HubSource(f"{folder}:Music").utterances())
    assert [clip.id for clip in clips] == ["Music/Music-0", "Music/Music-1"]
    with pytest.raises(InputError, match=r"Audio, Music, Speech.*'Noise'"):
        HubSource(f"{folder}:Noise").utterances()


def test_split_without_domain_needs_the_argument(tmp_path: Path) -> None:
    folder = saved(table([{"audio": sound()}]), tmp_path / "mine")
    with pytest.raises(InputError, match=r"split train, row 0.*--domain"):
        list(HubSource(str(folder)).utterances())
    (clip,) = HubSource(str(folder), domain="music").utterances()
    assert (clip.id, clip.dataset, clip.domain) == ("train/000000", "mine_train", "music")


def test_columns_give_domain_set_and_labels(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"audio": sound(), "domain": "speech", "dataset": "a", "text": "hi", "style": 1, "n": 3},
        {"audio": sound(), "domain": "music", "dataset": "b", "text": None, "style": 0, "n": 4},
    ]
    kinds = {"style": datasets.ClassLabel(names=["calm", "angry"]), "n": datasets.Value("int32")}
    folder = saved(table(rows, **kinds), tmp_path / "mine")
    first, second = HubSource(str(folder), domain="general").utterances()
    assert (first.dataset, first.domain, second.dataset, second.domain) == (
        *("a", "speech"),
        *("b", "music"),
    )
    assert first.labels == {"text": "hi", "style": "angry", "n": "3"}
    assert second.labels == {"style": "calm", "n": "4"}


def test_domain_column_alone_keeps_the_sets_apart(tmp_path: Path) -> None:
    rows = [{"audio": sound(), "domain": "speech"}, {"audio": sound(), "domain": "music"}]
    folder = saved(table(rows), tmp_path / "mine")
    sets = [clip.dataset for clip in HubSource(str(folder)).utterances()]
    assert sets == ["mine_train_speech", "mine_train_music"]


def test_foreign_domain_column_needs_the_argument(tmp_path: Path) -> None:
    folder = saved(table([{"audio": sound(), "domain": "finance"}]), tmp_path / "mine")
    with pytest.raises(InputError, match=r"row 0.*'finance'"):
        list(HubSource(str(folder)).utterances())
    (clip,) = HubSource(str(folder), domain="speech").utterances()
    assert clip.domain == "speech"


def test_mixed_category_in_a_set_is_refused(tmp_path: Path) -> None:
    rows = [{"audio": sound(), "domain": d, "dataset": "x"} for d in ("speech", "music")]
    folder = saved(table(rows), tmp_path / "mine")
    with pytest.raises(InputError, match="one category in set 'x'"):
        list(HubSource(str(folder)).utterances())


def test_repeated_ids_get_their_row_and_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"id": name, "audio": sound()} for name in ("a", "b", "a")]
    folder = saved(datasets.DatasetDict({"Speech": table(rows)}), tmp_path / "mine")
    ids = [clip.id for clip in HubSource(str(folder)).utterances()]
    assert ids == ["Speech/a", "Speech/b", "Speech/a~2"]
    assert "row 2" in caplog.text


def test_other_audio_column_and_none(tmp_path: Path) -> None:
    data = table([{"audio": sound()}]).rename_column("audio", "recording")
    (clip,) = HubSource(str(saved(data, tmp_path / "a")), domain="speech").utterances()
    assert clip.content() == encoded()
    text = datasets.Dataset.from_list([{"text": "hi"}])
    with pytest.raises(InputError, match=r"column of type Audio.*found text"):
        HubSource(str(saved(text, tmp_path / "b")), domain="speech").utterances()


class Builder:
    """Stands for what the hub would build."""

    hash = COMMIT

    def __init__(self, data: datasets.DatasetDict) -> None:
        self.data, self.prepared = data, False

    def download_and_prepare(self) -> None:
        self.prepared = True

    def as_dataset(self) -> datasets.DatasetDict:
        assert self.prepared
        return self.data


def test_hub_name_with_revision_and_split(
    tiny: datasets.DatasetDict, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, str | None] = {}

    def build(name: str, revision: str | None) -> Builder:
        asked.update(name=name, revision=revision)
        return Builder(tiny)

    monkeypatch.setattr(datasets, "load_dataset_builder", build)
    source = HubSource("some/tiny@v1:Speech")
    clips = list(source.utterances())
    assert asked == {"name": "some/tiny", "revision": "v1"}
    assert [clip.id for clip in clips] == ["Speech/Speech-0", "Speech/Speech-1"]
    assert clips[0].dataset == "tiny_Speech"
    assert source.describe()["revision"] == COMMIT


def test_rows_by_path_by_url_and_without_audio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = put(tmp_path / "near.wav")
    pytest.importorskip("fsspec").filesystem("memory").pipe("/far/x.flac", encoded())
    rows: list[dict[str, Any]] = [
        {"id": "path", "audio": {"bytes": None, "path": str(near)}},
        {"id": "url", "audio": {"bytes": None, "path": "memory://far/x.flac"}},
        {"id": "none", "audio": None},
    ]
    # Saving would embed the bytes; a folder of audio files on the hub loads as paths like these.
    data = datasets.DatasetDict({"Speech": table(rows)})
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda name, revision: Builder(data))
    by_path, by_url, none = HubSource("some/mine").utterances()
    assert by_path.path == near
    assert by_url.payload == encoded()
    assert none.content() == b""


@pytest.mark.parametrize(
    "error",
    [ConnectionError("offline"), ValueError("Config name is missing"), FileNotFoundError("gone")],
    ids=lambda error: type(error).__name__,
)
def test_trouble_in_loading_is_one_clear_error(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, revision: str | None) -> None:
        raise error

    monkeypatch.setattr(datasets, "load_dataset_builder", fail)
    with pytest.raises(InputError, match=rf"hf:some/tiny.*{error}.*hf:FOLDER"):
        HubSource("some/tiny").utterances()


class CutOff:
    """Stands for a streamed split whose connection breaks after one row."""

    features = datasets.Features({"audio": datasets.Audio()})

    def cast_column(self, name: str, kind: datasets.Audio) -> CutOff:
        assert not kind.decode
        return self

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield {"audio": sound()}
        raise datasets.exceptions.DatasetGenerationError("failed") from ConnectionError("cut off")


def test_trouble_in_streaming_names_its_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HubSource, "_load", lambda self: {"Speech": CutOff()})
    clips = HubSource("some/tiny", streaming=True).utterances()
    assert next(clips).id == "Speech/000000"
    with pytest.raises(InputError, match=r"hf:some/tiny.*ConnectionError: cut off"):
        next(clips)


@pytest.mark.parametrize(
    "reference", ["", "/no/such/folder", "a/b/c", "a@", "a:b:c", "a/b:x y"], ids=repr
)
def test_malformed_reference(reference: str) -> None:
    with pytest.raises(InputError, match=r"hf:NAME\[@REVISION\]\[:SPLIT\]"):
        HubSource(reference)


def test_local_folder_has_no_revision(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="hf:FOLDER"):
        HubSource(f"{tmp_path}@main")
