"""Shards: many clips in one file, as WebDataset's tars or Parquet, read one clip at a time.

In a tar, ``KEY.flac`` (or another audio extension) lies beside ``KEY.json``, which says ``name``,
``domain``, ``group`` and what else is known; only the audio is needed. In Parquet, a column
``audio`` holds the bytes, or a struct of ``bytes`` and ``path`` as Hugging Face writes it, and
the other columns say the same. What nothing says: the name is the key (the path, the row), the
domain the shard's folder, the group the clip itself.
"""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqcodec import audiofile
from sqcodec.errors import InputError
from sqcodec.train.data.listing import Entry

SUFFIXES = (".tar", ".parquet")
SHARD_BYTES = 512 << 20
"""Of a shard that is written: large enough to be read in one go, small enough to be moved."""


@dataclass(frozen=True)
class Member:
    """A clip in a shard.

    Attributes:
        name, domain, group: as of `sqcodec.train.data.listing.Entry`.
        at, size: where its bytes lie: an offset, or in Parquet its row.
        row: all that is said of it.
    """

    name: str
    domain: str
    group: str
    at: int
    size: int
    row: Mapping[str, str] = field(default_factory=dict)


def shards_in(place: Path) -> list[Path]:
    """The shards of a folder, sorted; none where it holds audio files or nothing."""
    if place.is_file():
        return [place] if place.suffix in SUFFIXES else []
    files = sorted(place.rglob("*"))
    if any(path.suffix.lower() in audiofile.EXTENSIONS for path in files):
        return []  # somebody's archive beside the audio itself
    return [path for path in files if path.suffix in SUFFIXES]


def members(shard: Path) -> list[Member]:
    """The clips of a shard, in its order; audio is not decoded.

    Raises:
        InputError: it cannot be read, or holds no audio.
    """
    try:
        found = list(_of_tar(shard) if shard.suffix == ".tar" else _of_parquet(shard))
    except (OSError, tarfile.TarError, ValueError) as error:
        raise InputError(
            str(shard), expected="a WebDataset tar or a Parquet file", found=str(error)
        ) from error
    if not found:
        raise InputError(str(shard), expected="audio", found="none")
    return found


def _of_tar(shard: Path) -> Iterator[Member]:
    with tarfile.open(shard) as archive:
        files = [member for member in archive if member.isfile()]
        said: dict[str, dict[str, Any]] = {}
        for member in files:
            if member.name.endswith(".json") and (handle := archive.extractfile(member)):
                content = json.loads(handle.read())
                said[member.name.removesuffix(".json")] = (
                    content if isinstance(content, dict) else {}
                )
        for member in files:
            stem, _, extension = member.name.rpartition(".")
            if f".{extension.lower()}" in audiofile.EXTENSIONS:
                about = said.get(stem, {})
                yield _member(about, member.name, shard, member.offset_data, member.size)


def _of_parquet(shard: Path) -> Iterator[Member]:
    from pyarrow import parquet

    with parquet.ParquetFile(shard) as file:
        names = set(file.schema_arrow.names)
        if "audio" not in names:
            raise ValueError(f"no column audio among {', '.join(sorted(names))}")
        rows = file.read(columns=sorted(names - {"audio"})).to_pylist() if names > {"audio"} else []
        for number in range(file.metadata.num_rows):
            about = rows[number] if rows else {}
            default = f"{shard.stem}/{number:06d}"
            yield _member(about, str(about.get("path") or default), shard, number, 0)


def _member(about: Mapping[str, Any], default: str, shard: Path, at: int, size: int) -> Member:
    row = {key: str(value) for key, value in about.items() if isinstance(value, str | int | float)}
    name = row.get("name") or default
    return Member(
        name=name,
        domain=row.get("domain") or shard.resolve().parent.name,
        group=row.get("group") or name,
        at=at,
        size=size,
        row=row,
    )


class Reader:
    """Bytes of clips, from several threads; a shard's file is opened once."""

    def __init__(self) -> None:
        self._open: dict[Path, Any] = {}
        self._lock = threading.Lock()

    def read(self, shard: Path, at: int, size: int) -> bytes:
        """A clip's bytes.

        Raises:
            InputError: they are not there any more.
        """
        try:
            if shard.suffix == ".parquet":
                return self._row(shard, at)
            with shard.open("rb") as file:
                file.seek(at)
                content = file.read(size)
            if len(content) < size:
                raise ValueError("less of it")
        except (OSError, ValueError, IndexError) as error:
            what = "the shard as it was"
            raise InputError(str(shard), expected=what, found=str(error)) from error
        return content

    def _row(self, shard: Path, number: int) -> bytes:
        """A row's audio; its row group is kept, as neighbours are wanted soon."""
        from pyarrow import parquet

        with self._lock:
            file, starts, group, column = self._open.get(shard, (None, [], -1, None))
            if file is None:
                file = parquet.ParquetFile(shard)
                counts = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
                starts = [sum(counts[:i]) for i in range(len(counts))]
            wanted = max(i for i, start in enumerate(starts) if start <= number)
            if wanted != group:
                column = file.read_row_group(wanted, columns=["audio"]).column("audio")
            self._open[shard] = (file, starts, wanted, column)
            value = column[number - starts[wanted]].as_py()
        content = value["bytes"] if isinstance(value, dict) else value
        if not isinstance(content, bytes):
            raise ValueError(f"row {number}: no bytes")
        return content

    def close(self) -> None:
        """Close what is open."""
        for file, *_ in self._open.values():
            with suppress(OSError):
                file.close()
        self._open.clear()


def write(entries: Sequence[Entry], out: Path, *, shard_bytes: int = SHARD_BYTES) -> list[Path]:
    """Write whole files into tars, in the order given.

    Raises:
        InputError: a stretch of a file, or a folder that cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    archive: tarfile.TarFile | None = None
    held = 0
    try:
        for number, entry in enumerate(entries):
            if entry.start or entry.duration is not None:
                raise InputError(
                    entry.name, expected="whole files", found="a stretch of one",
                    remedy="Cut it out first.",
                )  # fmt: skip
            content = entry.path.read_bytes()
            if archive is None or held + len(content) > shard_bytes:
                if archive is not None:
                    archive.close()
                paths.append(out / f"{len(paths):06d}.tar")
                archive, held = tarfile.open(paths[-1], "w"), 0  # noqa: SIM115 - closed below
            about = {**entry.row, "name": entry.name, "domain": entry.domain, "group": entry.group}
            key = f"{number:09d}"
            _add(archive, f"{key}{entry.path.suffix.lower()}", content)
            _add(archive, f"{key}.json", json.dumps(about, ensure_ascii=False).encode())
            held += len(content)
    except OSError as error:
        raise InputError(str(out), expected="to write shards", found=str(error)) from error
    finally:
        if archive is not None:
            archive.close()
    return paths


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
