"""Clips on an object store are those of the same folder on a disk, and are fetched once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import audio_fixtures
import cluster_fixtures
import pytest

from sqbench.cli import main
from sqbench.data import objects
from sqbench.data.objects import StoredFile
from sqbench.data.remote import RemoteSource
from sqbench.data.resolve import open_source
from sqbench.errors import InputError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SQBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def store() -> Iterator[str]:
    """A place in memory that is a test's own."""
    import fsspec

    root = f"memory://{uuid.uuid4().hex}"
    yield root
    fsspec.filesystem("memory").rm(root.removeprefix("memory:/"), recursive=True)


def put(folder: Path, url: str, **options: object) -> str:
    """Copy a folder to a store, under its own name."""
    import fsspec

    system, path = fsspec.core.url_to_fs(url, **options)
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            name = f"{path}/{folder.name}/{file.relative_to(folder)}"
            system.pipe_file(name, file.read_bytes())
    return f"{url}/{folder.name}"


def test_a_folder_is_the_folder(tmp_path: Path, store: str) -> None:
    data = cluster_fixtures.clips(tmp_path / "data")
    (data / "speech/notes.txt").write_text("not audio")
    (data / "speech/.hidden.wav").write_bytes(b"")
    url = put(data, store)
    local, remote = open_source(str(data)), open_source(url)
    assert [(c.id, c.dataset, c.domain) for c in remote.utterances()] == [
        (c.id, c.dataset, c.domain) for c in local.utterances()
    ]
    assert [c.sha256() for c in remote.utterances()] == [c.sha256() for c in local.utterances()]
    assert remote.unread() == local.unread()
    assert remote.name == local.name == "data"
    asked = ["run", "--codec", "mulaw-8", "--metrics", "sdr,mel", "--quiet"]
    assert main([*asked, "--data", str(data), "--out", str(tmp_path / "local")]) == 2
    assert main([*asked, "--data", url, "--out", str(tmp_path / "remote")]) == 2
    ours, theirs = (cluster_fixtures.written(tmp_path / name) for name in ("local", "remote"))
    assert [r["key"] for r in ours] == [r["key"] for r in theirs]
    assert [r["value"] for r in ours] == [r["value"] for r in theirs]
    # And the same command again computes only what failed.
    assert main([*asked, "--data", url, "--out", str(tmp_path / "local")]) == 2
    assert len(cluster_fixtures.written(tmp_path / "local")) == len(ours) + 3


def test_the_official_layout_and_a_manifest(tmp_path: Path, store: str) -> None:
    slt = audio_fixtures.slt_folder(tmp_path / "official")
    url = put(slt, store)
    here = list(open_source(str(slt)).utterances())
    assert [(c.id, c.dataset, c.category) for c in open_source(url).utterances()] == [
        (c.id, c.dataset, c.category) for c in here
    ]
    (slt / "list.csv").write_text(
        "path,domain,dataset,start,end,speaker\n"
        "samples/librispeech/s0.wav,speech,a,0.1,0.7,anna\n"
        "samples/esc50/e0.wav,general,b,,,\n"
        "samples/esc50/gone.wav,general,b,,,\n"
        "samples/esc50/e1.wav,sculpture,b,,,\n"
        "samples/esc50/e0.wav,general,b,,,\n"
    )
    url = put(slt, store)
    manifest = list(open_source(f"{url}/list.csv").utterances())
    local = list(open_source(str(slt / "list.csv")).utterances())
    assert [c.labels for c in manifest[:3]] == [c.labels for c in local[:3]]
    assert [c.id for c in manifest[:3]] == [c.id for c in local[:3]]
    assert "0.100-0.700" in manifest[0].id
    assert [c.problem is None for c in manifest] == [True, True, False, False, False]
    assert "sculpture" in str(manifest[3].problem)
    assert "already in line 3" in str(manifest[4].problem)
    assert [c.sha256() for c in manifest[:2]] == [c.sha256() for c in local[:2]]
    assert len(manifest[0].read(manifest[0].sha256())[0]) == 9600
    with pytest.raises(InputError, match="no such file"):
        manifest[2].read()


def test_a_file_is_fetched_once_and_again_when_it_changes(
    tmp_path: Path, store: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    fetch = StoredFile._fetched

    def counted(self: StoredFile) -> bytes:
        fetched.append(self.url)
        return fetch(self)

    monkeypatch.setattr(StoredFile, "_fetched", counted)
    data = tmp_path / "data"
    audio_fixtures.write_wav(data / "one.wav", audio_fixtures.babble(0.5))
    url = put(data, store)
    (first,) = RemoteSource(url).utterances()
    content = first.content()
    assert first.content() == content
    assert len(fetched) == 1
    (kept,) = (p for p in (cache / "objects").glob("??/*") if p.parent.name != "versions")
    kept.write_bytes(b"damaged")
    assert first.content() == content
    assert len(fetched) == 2
    time.sleep(0.01)
    audio_fixtures.write_wav(data / "one.wav", audio_fixtures.babble(0.5, seed=5))
    put(data, store)
    (second,) = RemoteSource(url).utterances()
    assert second.content() != content
    assert len(fetched) == 3


@pytest.mark.parametrize("url", ["memory://nothing-here", "nonsense://x/y"])
def test_what_is_not_there_is_one_error(url: str) -> None:
    with pytest.raises(InputError, match="data"):
        list(open_source(url).utterances())


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(InputError, match="pip install gcsfs"):
        objects.file_system("gs://bucket/folder")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A local server that speaks S3."""
    for name in ("moto", "s3fs"):
        pytest.importorskip(name, reason=f"needs {name} (make cloud)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ),
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                assert server.poll() is None
                time.sleep(0.1)
        import s3fs

        s3fs.S3FileSystem.clear_instance_cache()  # of another server
        s3fs.S3FileSystem().mkdir("clips")
        yield "s3://clips"
    finally:
        server.kill()
        server.wait()


@pytest.mark.slow
def test_s3(tmp_path: Path, s3: str) -> None:
    data = cluster_fixtures.clips(tmp_path / "data")
    url = put(data, s3)
    done = cluster_fixtures.run(
        "--codec", "mulaw-8", "--metrics", "sdr", "--data", url, "--out", tmp_path / "remote"
    )
    assert done.returncode == 2, done.stderr
    assert main(["run", "--codec", "mulaw-8", "--metrics", "sdr", "--data", str(data), "--quiet",
                 "--out", str(tmp_path / "local")]) == 2  # fmt: skip
    ours, theirs = (cluster_fixtures.written(tmp_path / name) for name in ("local", "remote"))
    assert [(r["key"], r["value"]) for r in ours] == [(r["key"], r["value"]) for r in theirs]


@pytest.mark.slow
def test_a_bucket_that_is_not_there(s3: str) -> None:
    with pytest.raises(InputError, match=r"expected.*(listed|audio)"):
        list(open_source("s3://no-such-bucket/x").utterances())
