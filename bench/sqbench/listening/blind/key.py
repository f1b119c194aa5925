"""The key of a blind test: what each stimulus is. It stays with whoever made the test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from sqbench.listening.blind import checks
from sqbench.listening.blind.design import METHODS, Item, Method, Role, Test, Trial

FORMAT = "sqbench-blind-key"
VERSION = 1
NAME = "key.json"
_PATH = 4096  # characters of the longest path


@dataclass(frozen=True, kw_only=True)
class KeyStimulus:
    """What a stimulus is, and where its audio lies beside the key."""

    id: str
    item: str
    system: str
    role: Role
    audio: Path


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key as it is read; ids are unique, and each names something that is there."""

    path: Path
    test: str
    method: Method
    items: Mapping[str, Item]
    stimuli: Mapping[str, KeyStimulus]
    trials: tuple[Trial, ...]


def content(test: Test, command: str) -> dict[str, Any]:
    """A test as JSON."""
    from sqbench import __version__

    return {
        "format": FORMAT,
        "version": VERSION,
        "test": test.id,
        "method": test.method,
        "seed": test.seed,
        "level_matched": test.match_level,
        "sqbench": __version__,
        "command": command,
        "items": [
            {"id": i.id, "utterance": i.utterance, "dataset": i.dataset, "domain": i.domain}
            for i in test.items
        ],
        "stimuli": [
            {
                "id": s.id, "item": s.item, "system": s.system, "role": s.role,
                "codec_id": s.codec_id, "weights": s.weights, "gain": s.gain,
                "audio": f"{s.id}.wav",
            }
            for s in test.stimuli
        ],
        "trials": [{"item": t.item, "stimuli": list(t.stimuli)} for t in test.trials],
        "left_out": list(test.left_out),
    }  # fmt: skip


def read(path: Path) -> Key:
    """Read a key.

    Raises:
        InputError: it is none; says where.
    """
    remedy = f"Name the {NAME} that `sqbench listen --blind` wrote, by --key."
    top = checks.load(path, FORMAT, VERSION, remedy)
    items: dict[str, Item] = {}
    for each in top.objects("items"):
        name = each.text("id")
        if name in items:
            each.wrong("id", "each item once", name)
        items[name] = Item(
            id=name,
            utterance=each.text("utterance", most=_PATH, printable=False),
            dataset=each.text("dataset", most=_PATH, printable=False),
            domain=each.text("domain"),
        )
    stimuli: dict[str, KeyStimulus] = {}
    for each in top.objects("stimuli"):
        name, audio = each.text("id"), each.text("audio")
        if name in stimuli:
            each.wrong("id", "each stimulus once", name)
        if Path(audio).name != audio:
            each.wrong("audio", "the name of a file beside the key", audio)
        stimuli[name] = KeyStimulus(
            id=name,
            item=each.choice("item", tuple(items)),
            system=each.text("system", most=_PATH, printable=False),
            role=cast(Role, each.choice("role", get_args(Role))),
            audio=path.parent / audio,
        )
    method = cast(Method, top.choice("method", METHODS))
    trials = []
    for each in top.objects("trials"):
        item, ids = each.choice("item", tuple(items)), each.texts("stimuli")
        wanted = 2 if method == "abx" else len(set(ids))
        if len(ids) != wanted or len(set(ids)) != wanted or not ids:
            each.wrong("stimuli", "different stimuli" if wanted != 2 else "two stimuli", list(ids))
        if any(name not in stimuli or stimuli[name].item != item for name in ids):
            each.wrong("stimuli", "stimuli of the item", list(ids))
        trials.append(Trial(item=item, stimuli=ids))
    if not trials:
        top.wrong("trials", "at least one trial", [])
    return Key(
        path=path, test=top.text("test"), method=method, items=items, stimuli=stimuli,
        trials=tuple(trials),
    )  # fmt: skip
