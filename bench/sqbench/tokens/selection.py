"""Which clips of a source token statistics are of: ``OUT/tokens/selections.json``.

Records stay when a clip leaves the data or its audio changes. What the newest call selected is in
force; one with a limit changes what it selected and leaves the rest.
"""

from __future__ import annotations

import json
from pathlib import Path

from sqbench.atomic import write_json
from sqbench.engine.jobs import Selection
from sqbench.errors import InputError
from sqcodec.typed import FieldError, convert

NAME = "selections.json"
Selections = dict[str, dict[str, str]]
"""Hash of each clip's audio, by source and utterance."""


def read(folder: Path) -> Selections:
    """What is in force; nothing where the folder has no such file.

    Raises:
        InputError: the file cannot be used.
    """
    path = folder / NAME
    try:
        return convert(json.loads(path.read_text(encoding="utf-8")), Selections)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        wrong = isinstance(error, FieldError)
        raise InputError(
            str(path),
            expected="clips and hashes of their audio, by source",
            found=str(error) if wrong else type(error).__name__,
            remedy="Remove it: then all that is recorded counts until the next `sqbench tokens`.",
        ) from error


def put_in_force(folder: Path, selection: Selection) -> None:
    """Record what a call selected.

    Raises:
        InputError: an earlier file cannot be used, or the folder cannot be written to.
    """
    found = read(folder)
    chosen = {item.utterance.id: item.audio_sha256 for item in selection.items}
    name = selection.source.name
    whole = len(selection.items) == selection.total
    found[name] = chosen if whole else found.get(name, {}) | chosen
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / NAME, found)
