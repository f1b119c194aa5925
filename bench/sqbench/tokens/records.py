"""Where codes are kept for statistics: ``OUT/tokens/CODEC-ID.jsonl``, a clip a line.

Codes are packed to exactly their bits, so that pooled statistics can be taken again, of any
selection, without the codec. The file only grows; the newest line of a
clip counts.
"""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from sqbench.atomic import unwritable
from sqbench.bitstream.packing import pack, packed_size, unpack
from sqbench.bitstream.stream import frames_per_block
from sqbench.digest import digest
from sqbench.errors import InputError
from sqbench.tokens.selection import read
from sqbench.tokens.statistics import ClipTokens
from sqbench_codecs import Codes

FOLDER = "tokens"
VERSION = 1
"""Raised when what is recorded of a clip changes."""


@dataclass(frozen=True, kw_only=True)
class TokenRecord:
    """A clip through a codec, or why it did not get through.

    Attributes:
        codec: what `Codec.describe` says.
        codec_id: its identity.
        clip: ``None`` if it failed, for ``reason``.
    """

    codec: dict[str, Any]
    codec_id: str
    source: str
    utterance: str
    audio_sha256: str
    clip: ClipTokens | None
    reason: str | None = None

    @property
    def key(self) -> str:
        return key(self.codec_id, self.source, self.utterance, self.audio_sha256)


def key(codec_id: str, source: str, utterance: str, audio_sha256: str) -> str:
    """What names the work."""
    return digest("tokens", VERSION, codec_id, source, utterance, audio_sha256)


class TokenWriter:
    """Appends records of one codec; each is on the disk when `append` returns."""

    def __init__(self, out: Path, codec: str, codec_id: str) -> None:
        self.path = out / FOLDER / f"{codec.replace('/', '_')}-{codec_id}.jsonl"

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "ab")
            if self._file.tell():  # a line that a crash cut off must not take the next along
                self._file.write(b"\n")
        except OSError as error:
            unwritable(self.path, error)
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def append(self, record: TokenRecord) -> None:
        """Add a record.

        Raises:
            InputError: it cannot be written.
        """
        line = json.dumps(_encode(record), ensure_ascii=False, allow_nan=False) + "\n"
        try:
            self._file.write(line.encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            unwritable(self.path, error)


@dataclass
class TokenStore:
    """Loaded records, the newest of each key, and what could not be read."""

    records: dict[str, TokenRecord] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def load(out: Path) -> TokenStore:
    """What is in force of ``OUT/tokens`` (`sqbench.tokens.selection`); empty if there is nothing.

    Raises:
        InputError: a file cannot be read.
    """
    store = TokenStore()
    selections = read(out / FOLDER)
    for path in sorted((out / FOLDER).glob("*.jsonl")):
        for number, line in enumerate(_lines(path), start=1):
            if not line.strip():
                continue
            try:
                record = _decode(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                store.problems.append(f"{path}:{number}: skipped ({type(error).__name__}: {error})")
                continue
            store.records.pop(record.key, None)
            chosen = selections.get(record.source)
            if chosen is None or chosen.get(record.utterance) == record.audio_sha256:
                store.records[record.key] = record
    return store


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with open(path, "rb") as handle:
            yield from handle
    except OSError as error:
        raise InputError(
            str(path), expected="a file of records", found=error.strerror or str(error)
        ) from error


def _encode(record: TokenRecord) -> dict[str, Any]:
    found: dict[str, Any] = {
        "version": VERSION,
        "codec": record.codec,
        "codec_id": record.codec_id,
        "source": record.source,
        "utterance": record.utterance,
        "audio_sha256": record.audio_sha256,
        "reason": record.reason,
    }
    if record.clip is not None:
        packed = _pack(record.clip.codes, record.codec["codebook_sizes"])
        found |= {
            "seconds": record.clip.seconds,
            "frames": record.clip.codes.shape[1],
            "codes": base64.b85encode(packed).decode(),
            "probes": {name: list(pair) for name, pair in record.clip.probes.items()},
        }
    return found


def _decode(found: dict[str, Any]) -> TokenRecord:
    if found["version"] != VERSION:
        raise ValueError(f"version {found['version']}, this one reads {VERSION}")
    clip = None
    if found["reason"] is None:
        packed = base64.b85decode(found["codes"])
        clip = ClipTokens(
            codes=_unpack(packed, found["codec"]["codebook_sizes"], found["frames"]),
            seconds=float(found["seconds"]),
            probes={name: (int(a), int(b)) for name, (a, b) in found["probes"].items()},
        )
    names = ("codec", "codec_id", "source", "utterance", "audio_sha256", "reason")
    return TokenRecord(clip=clip, **{name: found[name] for name in names})


def _pack(codes: Codes, sizes: Sequence[int]) -> bytes:
    """In blocks, as the time that a number takes grows with the square of its length."""
    step = frames_per_block(sizes)
    return b"".join(
        pack(codes[:, start : start + step], sizes) for start in range(0, codes.shape[1], step)
    )


def _unpack(packed: bytes, sizes: Sequence[int], frames: int) -> Codes:
    stream, step = io.BytesIO(packed), frames_per_block(sizes)
    blocks = [np.empty((len(sizes), 0), np.int64)]
    for start in range(0, frames, step):
        count = min(step, frames - start)
        blocks.append(unpack(stream.read(packed_size(tuple(sizes), count)), sizes, count))
    return np.concatenate(blocks, axis=1)
