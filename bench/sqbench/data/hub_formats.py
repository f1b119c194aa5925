"""The forms in which Hugging Face `datasets` stores audio and what is known of it.

Audio is kept as the bytes that were stored: nothing here decodes, nor needs a package that does.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqbench.errors import InputError

KEY = "__key__"
"""What WebDataset calls a sample; its id."""

_TEXT = {"txt": "text"}
"""Extensions in a WebDataset that the tasks know by another name."""

_lock = threading.RLock()


@contextmanager
def kept_as_stored() -> Iterator[None]:
    """While rows are made, audio is noted by path or bytes, as `datasets` itself stores it.

    Its own `Audio.encode_example` does the same, but imports torchcodec first, also where nothing
    is to be encoded: folders of audio and WebDataset archives would not load without it.
    """
    from datasets import Audio

    with _lock:
        before = Audio.encode_example

        def encode(self: Any, value: Any) -> Any:
            if isinstance(value, str | Path):
                return {"bytes": None, "path": str(value)}
            if isinstance(value, bytes | bytearray):
                return {"bytes": bytes(value), "path": None}
            if isinstance(value, Mapping) and not {"array", "sampling_rate"} & set(value):
                return {"bytes": value.get("bytes"), "path": value.get("path")}
            return before(self, value)

        Audio.encode_example = encode
        try:
            yield
        finally:
            Audio.encode_example = before


def saved_splits(folder: Path) -> dict[str, Any]:
    """The splits of a folder written by ``save_to_disk``; those without rows are left out.

    Raises:
        InputError: there are none with rows.
        Exception: what `datasets` raises for a folder that it cannot load.
    """
    import datasets

    listing = folder / "dataset_dict.json"
    names = json.loads(listing.read_bytes())["splits"] if listing.is_file() else [None]
    found = {}
    for name in names:
        place = folder if name is None else folder / str(name)
        state = json.loads((place / "state.json").read_bytes())
        if not state.get("_data_files"):  # what it writes of a table without rows
            continue
        loaded = datasets.Dataset.load_from_disk(str(place))
        if len(loaded):
            found[str(name or loaded.split or "train")] = loaded
    if not found:
        raise InputError(str(folder), expected="at least one row", found="none")
    return found


def audio_columns(features: Mapping[str, Any]) -> list[str]:
    """Columns of type Audio, or of what it is stored as: bytes, or bytes and path."""
    from datasets import Audio

    def stored(kind: Any) -> bool:
        if isinstance(kind, Mapping):
            return {"bytes", "path"} <= set(kind)
        return getattr(kind, "dtype", None) in ("binary", "large_binary")

    found = [name for name, kind in features.items() if isinstance(kind, Audio)]
    return found or [name for name, kind in features.items() if stored(kind)]


def sound_of(value: Any) -> dict[str, Any]:
    """``bytes`` and ``path`` of a row's audio; neither where it has none."""
    if isinstance(value, bytes | bytearray):
        return {"bytes": bytes(value)}
    return dict(value) if isinstance(value, Mapping) else {}


def labels_of(row: Mapping[str, Any], features: Mapping[str, Any]) -> dict[str, str]:
    """Texts and numbers as text, a class label by its name; nulls are left out.

    Of nested values those of a WebDataset's ``json`` are taken, where nothing else has their name.
    """
    labels: dict[str, str] = {}
    for key, value in row.items():
        kind = features.get(key)
        if isinstance(value, int) and kind is not None and hasattr(kind, "int2str") and value >= 0:
            value = kind.int2str(value)
        name = _TEXT.get(key, key) if KEY in row else key
        if name != "__url__" and (text := _text(value)):
            labels[name] = text
    nested = row.get("json")
    if isinstance(nested, Mapping):
        for key, value in nested.items():
            if text := _text(value):
                labels.setdefault(key, text)
    return labels


def _text(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int | float) else ""
