"""Shards instead of files: the same crops, from audio that is decoded when it is drawn."""

from __future__ import annotations

import dataclasses
import io
import json
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from train_fixtures import recipe, speech_and_music

from sqcodec.errors import InputError
from sqcodec.train.data import stream
from sqcodec.train.data.corpus import Clip, Corpus
from sqcodec.train.data.crops import Loader
from sqcodec.train.data.sampler import Sampler
from sqcodec.train.data.stream import StreamCorpus
from sqcodec.train.data.window import Window
from sqcodec.train.shards import main

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return speech_and_music(tmp_path / "train")


@pytest.fixture
def shards(folder: Path, tmp_path: Path) -> Path:
    out = tmp_path / "shards"
    assert main(["--data", str(folder), "--out", str(out)]) == 0
    return out


def several(folder: Path, out: Path) -> Path:
    """A shard for each clip."""
    from sqcodec.train.data.listing import list_files
    from sqcodec.train.data.shards import write

    write(list_files([folder]).entries, out, shard_bytes=1)
    return out


def batches(corpus: Corpus, count: int = 6, **data: object) -> torch.Tensor:
    made = dataclasses.replace(recipe().data, **data)  # type: ignore[arg-type]
    sampler = Sampler(corpus.split()[0], length=4000, recipe=made, seed=3)
    loader = Loader(corpus, 4000, CPU, normalise=True)
    return torch.stack([loader.load(sampler.batch(i, 4)) for i in range(count)])


def test_clips_and_batches_are_those_of_the_files(
    folder: Path, shards: Path, tmp_path: Path
) -> None:
    cached = Corpus([folder], 16000, tmp_path / "cache")
    streamed = StreamCorpus([shards], 16000, tmp_path / "cache")
    assert [(c.name, c.domain, c.group, c.start, c.length) for c in streamed.clips] == [
        (c.name, c.domain, c.group, c.start, c.length) for c in cached.clips
    ]
    assert len(streamed.skipped) == len(cached.skipped) == 2
    whole = [streamed.samples[c.start : c.start + c.length] for c in streamed.clips]
    assert np.array_equal(np.concatenate(whole), cached.samples)
    assert torch.equal(batches(streamed), batches(cached))
    assert not list((tmp_path / "cache").glob("*stream*.pcm"))


def test_windows_draw_from_the_same_clips_of_either(folder: Path, tmp_path: Path) -> None:
    streamed = StreamCorpus([several(folder, tmp_path / "shards")], 16000, tmp_path / "cache")
    cached = Corpus([folder], 16000, tmp_path / "cache")
    cached.clips = streamed.clips  # which shard each is of
    assert torch.equal(batches(streamed, stream=1), batches(cached, stream=1))
    assert not torch.equal(batches(streamed, stream=1), batches(streamed))


def test_the_index_is_made_once_and_again_when_shards_change(
    folder: Path, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = StreamCorpus([shards], 16000, tmp_path / "cache")
    with monkeypatch.context() as patched:
        patched.setattr(stream, "_measured", lambda *a: pytest.fail("decoded again"))
        assert StreamCorpus([shards], 16000, tmp_path / "cache").clips == first.clips
    (shard,) = shards.glob("*.tar")
    with tarfile.open(shard, "a") as archive:
        content = (folder / "speech/s0.wav").read_bytes()
        member = tarfile.TarInfo("more.wav")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    assert len(StreamCorpus([shards], 16000, tmp_path / "cache").clips) == len(first.clips) + 1


def test_decoded_clips_are_kept_within_bounds(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = StreamCorpus([shards], 16000, tmp_path / "cache")
    for clip in (corpus.clips[0], corpus.clips[0], corpus.clips[1]):
        assert len(corpus.samples[clip.start : clip.start + 100]) == 100
    assert corpus.samples.decoded == 2
    monkeypatch.setattr(stream, "KEPT_BYTES", 1)
    for clip in (corpus.clips[2], corpus.clips[0]):
        corpus.samples[clip.start : clip.start + 100]
    assert corpus.samples.decoded == 4
    assert len(corpus.samples._kept) == 1


def test_parquet_as_datasets_writes_it(folder: Path, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    cached = Corpus([folder], 16000, tmp_path / "cache")
    rows = [
        {
            "audio": {"bytes": (folder / clip.name).read_bytes(), "path": clip.name},
            "name": clip.name,
            "domain": clip.domain,
            "group": clip.group,
        }
        for clip in cached.clips
    ]
    path = tmp_path / "parquet" / "part.parquet"
    path.parent.mkdir()
    parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=2)
    streamed = StreamCorpus([path.parent], 16000, tmp_path / "cache")
    assert torch.equal(batches(streamed), batches(cached))


@pytest.mark.parametrize(
    ("name", "content"), [("bad.tar", b"no archive"), ("bad.parquet", b"nothing")]
)
def test_what_is_no_shard_is_one_error(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="WebDataset"):
        StreamCorpus([tmp_path], 16000, tmp_path / "cache")


def test_a_tar_without_a_word_is_named_by_its_place(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "podcasts"
    root.mkdir()
    with tarfile.open(root / "0.tar", "w") as archive:
        archive.add(folder / "speech/s0.wav", "a/one.wav")
    (clip,) = StreamCorpus([root], 16000, tmp_path / "cache").clips
    assert (clip.name, clip.domain, clip.group) == ("a/one.wav", "podcasts", "a/one.wav")


def _clips(lengths: list[int]) -> list[Clip]:
    starts = np.cumsum([0, *lengths])
    return [
        Clip(f"c{i}", "speech", f"c{i}", int(starts[i]), length, i)
        for i, length in enumerate(lengths)
    ]


def test_a_window_passes_over_every_shard_by_its_length() -> None:
    window = Window(_clips([100, 300, 50, 50, 500]), 2, seed=1)
    assert window.total == 1000
    for number in range(3):
        first = Counter(window.position(1000 * number + i)[0] for i in range(1000))
        assert first == {0: 100, 1: 300, 2: 50, 3: 50, 4: 500}
        assert all(len(set(window.position(1000 * number + i))) == 2 for i in range(0, 1000, 50))
    orders = {tuple(window._order(number)) for number in range(20)}
    assert len(orders) > 5
    assert Window(_clips([5, 5]), 9, seed=0).position(0) in ((0, 1), (1, 0))


def test_the_position_follows_from_the_batch_alone(folder: Path, tmp_path: Path) -> None:
    corpus = StreamCorpus([several(folder, tmp_path / "shards")], 16000, tmp_path / "cache")
    made = dataclasses.replace(recipe().data, stream=1)

    def sampler() -> Sampler:
        return Sampler(corpus.clips, length=4000, recipe=made, seed=3)

    onward = sampler()
    drawn = [onward.batch(index, 4) for index in range(40)]
    assert sampler().batch(39, 4) == drawn[39]
    places = {crop.part.start for batch in drawn for crop in batch}
    assert len(
        {
            clip.name
            for clip in corpus.clips
            for at in places
            if clip.start <= at < clip.start + clip.length
        }
    ) == len(corpus.clips)


def test_the_command_refuses_stretches(folder: Path, tmp_path: Path) -> None:
    (folder / "manifest.csv").write_text("path,start,end\nspeech/s0.wav,0.1,0.4\n")
    assert main(["--data", str(folder), "--out", str(tmp_path / "x")]) == 1


def test_json_of_a_shard_says_what_the_manifest_did(shards: Path) -> None:
    (shard,) = shards.glob("*.tar")
    with tarfile.open(shard) as archive:
        names = [name for name in archive.getnames() if name.endswith(".json")]
        said = [json.loads(archive.extractfile(name).read()) for name in names]  # type: ignore[union-attr]
    groups = {each["name"]: each["group"] for each in said}
    assert groups["speech/s0.wav"] == "speaker0"
