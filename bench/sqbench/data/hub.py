"""Hugging Face `datasets`: from the hub, or a local folder in one of its formats.

Audio is taken as the stored bytes (``Audio(decode=False)``) and read by `sqbench.audio`, so that no
decoder of that library and no resampling comes between.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from sqbench.data import hub_formats
from sqbench.errors import InputError

from .base import (
    DOMAINS,
    Source,
    Utterance,
    category_of,
    checked_id,
    known_domain,
    refuse_mixed_categories,
)

PREFIX = "hf:"
SPLIT_DOMAINS = {"speech": "speech", "music": "music", "audio": "general", "general": "general"}
"""What a split's name says of its domain (``voidful/codec-superb-tiny``: Speech, Audio, Music)."""

_REFERENCE = re.compile(r"(?P<name>[^@:]+)(@(?P<revision>[^@:]+))?(:(?P<split>[\w.-]+))?")
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_SPLIT = re.compile(r"[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")

logger = logging.getLogger(__name__)


class HubSource(Source):
    """Rows of a dataset with an audio column; ids are ``<split>/<column id, or row number>``.

    A row's set is its column ``dataset``, else ``<name>_<split>``. Its domain is the column
    ``domain``, else what the split's name says (`SPLIT_DOMAINS`), else the argument. Other columns
    of text or numbers become labels. An id that repeats gets ``~<row number>`` appended. When
    streaming, each utterance holds its bytes; else they are fetched when they are read.

    Args:
        reference: ``NAME[@REVISION][:SPLIT]`` or ``FOLDER[:SPLIT]``; the folder was written by
            ``save_to_disk`` or holds files that `datasets` loads (Parquet).
        domain: domain of the rows that neither column nor split describes.
        streaming: read over the network without a local copy; a folder written by
            ``save_to_disk`` is memory-mapped either way.
    """

    def __init__(
        self, reference: str, *, domain: str | None = None, streaming: bool = False
    ) -> None:
        self.folder, name, self.revision, self.split = _parse(reference)
        self.dataset_name = name
        self.domain = None if domain is None else known_domain(domain, "domain")
        self.streaming = streaming
        self.name = (self.folder.resolve().name if self.folder else name).split("/")[-1]
        self.location = PREFIX + reference
        self._resolved: str | None = None
        self._loaded: dict[str, Any] | None = None

    def describe(self) -> dict[str, str]:
        """Name, location, the commit that the hub resolved, the fingerprint of each split."""
        splits = self._splits()
        about = super().describe() | {"splits": ",".join(splits)}
        if self._resolved:
            about["revision"] = self._resolved
        for split, data in splits.items():
            fingerprint = getattr(data, "_fingerprint", None)
            if fingerprint:
                about[f"fingerprint_{split}"] = fingerprint
        return about

    def utterances(self) -> Iterator[Utterance]:
        """The rows, split by split in the order of the splits' names.

        Raises:
            InputError: no such dataset or split, no audio column, a domain that nothing states.
        """
        splits = self._splits()
        audio = {split: _audio_column(data, self.location) for split, data in splits.items()}
        return refuse_mixed_categories(self._rows(splits, audio), self.location)

    def _rows(self, splits: dict[str, Any], audio: dict[str, str]) -> Iterator[Utterance]:
        from datasets import Audio

        empty = True
        for split, data in splits.items():
            features = data.features
            rows = data
            if isinstance(features[audio[split]], Audio):
                rows = data.cast_column(audio[split], Audio(decode=False))
            seen: set[str] = set()
            for number, row in enumerate(self._each(rows)):
                empty = False
                sound = hub_formats.sound_of(row.pop(audio[split]))
                labels = hub_formats.labels_of(row, features)
                clip = self._utterance(split, number, labels, sound, seen)
                if sound.get("bytes") and not self.streaming:
                    # Fetched again when it is read: a dataset may be larger than memory.
                    clip = replace(clip, payload=partial(_bytes, rows, number, audio[split]))
                yield clip
        if empty:
            raise InputError(self.location, expected="at least one row", found="none")

    def _each(self, rows: Any) -> Iterator[dict[str, Any]]:
        """Rows of a split; of one that is streamed each is made as it is asked for."""
        known = getattr(rows, "num_rows", None)
        if known == 0:
            return
        with self._one_error(), hub_formats.kept_as_stored():
            source = iter(rows)
        while True:
            # Not around the loop: whoever takes the rows is not to be affected.
            with self._one_error(), hub_formats.kept_as_stored():
                try:
                    row = next(source)
                except StopIteration:
                    return
            yield row

    def _utterance(
        self, split: str, number: int, row: dict[str, str], sound: dict[str, Any], seen: set[str]
    ) -> Utterance:
        where = f"{self.location}, split {split}, row {number}"
        domain, from_column = self._domain(split, row.pop("domain", None), where)
        default = f"{self.name}_{split}" + (f"_{domain}" if from_column else "")
        tail = row.pop("id", row.pop(hub_formats.KEY, f"{number:06d}")).strip("/")
        if tail in seen:
            logger.warning("%s: id %r is not unique; '~%d' is appended", where, tail, number)
            tail = f"{tail}~{number}"
        seen.add(tail)
        payload, path = sound.get("bytes"), sound.get("path")
        local = problem = None
        try:
            if payload is None and path and "://" in path:
                payload = _fetch(path)
            elif payload is None and path:
                local = self._local(path, where)
        except InputError as error:
            problem = str(error)
        except Exception as error:  # anything between here and there, and it is one clip
            problem = f"{where}: {path} cannot be fetched ({type(error).__name__}: {error})"
        return Utterance(
            id=checked_id(f"{split}/{tail}", where),
            dataset=row.pop("dataset", default),
            category=category_of(domain),
            domain=domain,
            path=local,
            # A row without audio is a clip of no bytes: it fails when read, not the run.
            payload=b"" if payload is None and local is None else payload,
            labels=row,
            problem=problem,
        )

    def _local(self, path: str, where: str) -> Path:
        """The file of a row that holds a path instead of the audio's bytes."""
        start = self.folder or Path()
        found = start / path
        if not found.exists():
            raise InputError(
                where,
                expected="the audio's bytes, or a file that is there",
                found=f"no bytes, and the path {path!r}, at which there is none from {start}",
                remedy="Embed the audio (datasets' save_to_disk and to_parquet do), or copy the "
                "files there.",
            )
        return found

    def _domain(self, split: str, stated: str | None, where: str) -> tuple[str, bool]:
        if stated is not None and (stated.lower() in DOMAINS or self.domain is None):
            return known_domain(stated, where), True
        domain = SPLIT_DOMAINS.get(split.lower(), self.domain)
        if domain is None:
            raise InputError(
                where,
                expected=f"a column 'domain', or a split named {', '.join(SPLIT_DOMAINS)}",
                found=f"neither in split {split!r}",
                remedy="Give --domain speech, music or general.",
            )
        return domain, False

    def _splits(self) -> dict[str, Any]:
        if self._loaded is None:
            with self._one_error():
                self._loaded = self._load()
        return self._loaded

    @contextmanager
    def _one_error(self) -> Iterator[None]:
        """Turn what the library raises while loading or streaming into `InputError`."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # of a library over files and networks: anything
            root: BaseException = error
            while root.__cause__ is not None:
                root = root.__cause__
            raise InputError(
                self.location,
                expected="a dataset that can be loaded",
                found=f"{type(root).__name__}: {root}",
                remedy="Check name, split, network and packages, or give a local copy as "
                "hf:FOLDER; a folder of plain audio files needs no 'hf:'.",
            ) from error

    def _load(self) -> dict[str, Any]:
        import datasets

        if self.folder and any((self.folder / f).is_file() for f in _SAVED):
            return self._chosen(hub_formats.saved_splits(self.folder))
        builder = datasets.load_dataset_builder(
            str(self.folder or self.dataset_name), revision=self.revision
        )
        if not self.folder and _COMMIT.fullmatch(builder.hash or ""):
            self._resolved = builder.hash
        if self.streaming:
            with hub_formats.kept_as_stored():
                return self._chosen(dict(builder.as_streaming_dataset()))
        with hub_formats.kept_as_stored():
            builder.download_and_prepare()
        return self._chosen(dict(builder.as_dataset()))

    def _chosen(self, splits: dict[str, Any]) -> dict[str, Any]:
        """The wanted splits by name, so that their order does not depend on the storage."""
        if self.split is not None and self.split not in splits:
            raise InputError(
                self.location,
                expected=f"a split among {', '.join(sorted(splits))}",
                found=repr(self.split),
            )
        names = sorted(splits) if self.split is None else [self.split]
        return {name: splits[name] for name in names}


_SAVED = ("dataset_dict.json", "state.json")
"""The files that tell a folder written by ``save_to_disk``."""


def _parse(reference: str) -> tuple[Path | None, str, str | None, str | None]:
    """Folder (if local), name, revision and split of a reference."""
    # A folder first, whatever signs are in its name.
    for name, colon, split in ((reference, "", ""), reference.rpartition(":")):
        if name and Path(name).expanduser().is_dir() and (not colon or _SPLIT.fullmatch(split)):
            return Path(name).expanduser(), name, None, split or None
    match = _REFERENCE.fullmatch(reference)
    if match:
        name, revision, split = match["name"], match["revision"], match["split"]
        if _HUB_NAME.fullmatch(name) and not Path(name).expanduser().is_dir():
            return None, name, revision, split
    raise InputError(
        PREFIX + reference,
        expected="hf:NAME[@REVISION][:SPLIT], or hf:FOLDER[:SPLIT] of a folder that exists",
        found=repr(reference),
        remedy="For example hf:voidful/codec-superb-tiny:Speech.",
    )


def _audio_column(data: Any, location: str) -> str:
    """The column of type Audio, or of what audio is stored as."""
    features = data.features or {}
    found = hub_formats.audio_columns(features)
    if "audio" in found:
        return "audio"
    if len(found) == 1:
        return found[0]
    raise InputError(
        location,
        expected="one column of type Audio, or one named 'audio' among several",
        found=", ".join(found or features) or "columns that streaming does not tell",
        remedy="Cast or rename the column to 'audio'." if features else "Read without streaming.",
    )


def _bytes(rows: Any, number: int, column: str) -> bytes:
    return bytes(hub_formats.sound_of(rows[number][column])["bytes"])


def _fetch(url: str) -> bytes:
    """Bytes of a file that a streamed dataset names by URL instead of holding."""
    from datasets.utils.file_utils import xopen

    with xopen(url, "rb") as file:
        return bytes(file.read())
