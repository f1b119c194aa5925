"""Files and manifests as accidents leave them: made from good ones, each from a seed of its own."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import numpy as np
import soundfile
from audio_fixtures import babble

FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "rf64": ("RF64", "PCM_24"),
    "w64": ("W64", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "voc": ("VOC", "PCM_16"),
    "sph": ("NIST", "PCM_16"),
}
"""Extension to what libsndfile calls format and encoding."""


def encoded(kind: str, seconds: float = 1.0, rate: int = 16000) -> bytes:
    """Something like speech in a format of `FORMATS`."""
    name, subtype = FORMATS[kind]
    buffer = io.BytesIO()
    soundfile.write(buffer, babble(seconds, rate), rate, format=name, subtype=subtype)
    return buffer.getvalue()


Change = Callable[[bytes, np.random.Generator], bytes]


def _at(data: bytes, rng: np.random.Generator) -> int:
    return int(rng.integers(len(data)))


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: _at(data, rng)]


def holed(data: bytes, rng: np.random.Generator) -> bytes:
    start, size = _at(data, rng), int(rng.integers(1, 8192))
    return data[:start] + bytes(len(data[start : start + size])) + data[start + size :]


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 20))):
        changed[_at(data, rng)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def header_flipped(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        changed[int(rng.integers(min(128, len(data))))] = int(rng.integers(256))
    return bytes(changed)


def deleted(data: bytes, rng: np.random.Generator) -> bytes:
    start = _at(data, rng)
    return data[:start] + data[start + int(rng.integers(1, 4096)) :]


def inserted(data: bytes, rng: np.random.Generator) -> bytes:
    start = _at(data, rng)
    return data[:start] + rng.bytes(int(rng.integers(1, 4096))) + data[start:]


def doubled(data: bytes, rng: np.random.Generator) -> bytes:
    return data + data[_at(data, rng) :]


def shuffled(data: bytes, rng: np.random.Generator) -> bytes:
    blocks = [data[i : i + 512] for i in range(0, len(data), 512)]
    return b"".join(blocks[i] for i in rng.permutation(len(blocks)))


AUDIO_CHANGES: tuple[Change, ...] = (
    cut,
    holed,
    flipped,
    header_flipped,
    deleted,
    inserted,
    doubled,
    shuffled,
)


def audio_file(number: int) -> tuple[str, bytes]:
    """Extension and bytes of the mutated file of a number."""
    rng = np.random.default_rng([15, number])
    kind = list(FORMATS)[number % len(FORMATS)]
    change = AUDIO_CHANGES[number // len(FORMATS) % len(AUDIO_CHANGES)]
    return kind, change(encoded(kind), rng)


def manifest(number: int, names: list[str]) -> tuple[str, bytes]:
    """Suffix and bytes of the mutated manifest of a number, over files of these names."""
    rng = np.random.default_rng([16, number])
    rows = [
        {"path": name, "domain": "speech", "dataset": "one", "text": f"words, {i}"}
        for i, name in enumerate(names)
    ]
    suffix = (".csv", ".jsonl", ".tsv")[number % 3]
    change = MANIFEST_CHANGES[number // 3 % len(MANIFEST_CHANGES)]
    if number % 2:
        for row in rows:
            row["start"], row["duration"] = "0.1", "0.5"
    if suffix == ".jsonl":
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    else:
        mark = "," if suffix == ".csv" else "\t"
        lines = [list(rows[0]), *(list(row.values()) for row in rows)]
        text = "".join(
            mark.join(f'"{cell}"' if mark in cell else cell for cell in line) + "\n"
            for line in lines
        )
    return suffix, change(text, rng)


TextChange = Callable[[str, np.random.Generator], bytes]
_ODD = (
    "é",
    "日本",
    "😀",
    '"',
    ",",
    "\t",
    "\0",
    "\\",
    "[/",
    "-1",
    "nan",
    "1e999",
    "../",
    "/",
    "{",
    "\r",
)


def bytes_flipped(text: str, rng: np.random.Generator) -> bytes:
    return flipped(text.encode(), rng)


def bytes_cut(text: str, rng: np.random.Generator) -> bytes:
    return cut(text.encode(), rng)


def bytes_deleted(text: str, rng: np.random.Generator) -> bytes:
    data = text.encode()
    start = _at(data, rng)
    return data[:start] + data[start + int(rng.integers(1, 40)) :]


def odd_text(text: str, rng: np.random.Generator) -> bytes:
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(len(text)))
        text = text[:at] + _ODD[int(rng.integers(len(_ODD)))] + text[at:]
    return text.encode()


def odd_cells(text: str, rng: np.random.Generator) -> bytes:
    for old in ("speech", "0.1", "0.5", "one", ".wav"):
        if rng.random() < 0.4:
            at = text.find(old, int(rng.integers(len(text))))
            if at >= 0:
                text = text[:at] + _ODD[int(rng.integers(len(_ODD)))] + text[at + len(old) :]
    return text.encode()


def line_ends(text: str, rng: np.random.Generator) -> bytes:
    return text.replace("\n", ("\r\n", "\r", "\n\n", ",,,\n", "\t\t\r\n")[rng.integers(5)]).encode()


def encodings(text: str, rng: np.random.Generator) -> bytes:
    return text.encode(("utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp500")[rng.integers(5)])


def lines_shuffled(text: str, rng: np.random.Generator) -> bytes:
    lines = text.splitlines(keepends=True)
    return "".join(lines[i] for i in rng.permutation(len(lines))).encode()


def lines_doubled(text: str, rng: np.random.Generator) -> bytes:
    lines = text.splitlines(keepends=True)
    return "".join(line * int(rng.integers(3)) for line in lines).encode()


def moved_paths(text: str, rng: np.random.Generator) -> bytes:
    root = ("C:\\\\data\\\\", "/home/x/", "//", "../", "./", "data/x/", "file:///x/")[
        rng.integers(7)
    ]
    return text.replace("clip", f"{root}clip").encode()


MANIFEST_CHANGES: tuple[TextChange, ...] = (
    bytes_flipped,
    bytes_cut,
    bytes_deleted,
    odd_text,
    odd_cells,
    line_ends,
    encodings,
    lines_shuffled,
    lines_doubled,
    moved_paths,
)
