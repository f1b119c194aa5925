"""Text of a results folder to records and runs, every field's type checked.

What is read here was written by other versions, on other machines, or cut by a full disk. Nothing
after this module looks at types again, so a damaged line costs itself and nothing else.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn, NotRequired, TypedDict, cast

from sqbench.store.record import SCHEMA, Observation, Record
from sqcodec.typed import FieldError, convert

_LATER: dict[type, tuple[str, ...]] = {
    Record: ("metric_identity", "direction"),
    Observation: ("heard_sha256",),
}
"""Fields that those of earlier versions do not have."""

_DIGITS = 18
"""Integers of more digits do not fit 64 bits, and a float of them may be infinite."""


class _Selected(TypedDict):
    """What a run says of each utterance that it selected."""

    sha256: str
    dataset: str
    category: str
    domain: str


class _Clip(TypedDict):
    """What a run says of each clip of a task."""

    sha256: str
    dataset: str
    label: str
    group: str
    alternative: str


class _Source(TypedDict):
    name: str
    location: str
    selected: int
    total: int
    expected: NotRequired[dict[str, dict[str, Any]]]
    selection: dict[str, _Selected]


class _Task(TypedDict):
    evaluator: str
    evaluator_id: str
    version: int
    selected: int
    total: int
    clips: dict[str, _Clip]
    trials: dict[str, list[tuple[str | int | bool, str, str]]]


class _Codec(TypedDict):
    codec_id: str
    name: str


class _Run(TypedDict):
    """What a ``run.json`` must have; it has more, of which nothing is asked here."""

    run_id: NotRequired[str]
    started: str
    protocol: str
    metrics: dict[str, int]
    codecs: list[_Codec]
    source: _Source
    tasks: NotRequired[dict[str, _Task]]


def record(line: bytes) -> Record | Observation:
    """The record of one line of ``records.jsonl``.

    Raises:
        ValueError: it is none; says why.
    """
    found = _object(line)
    kind: Any = Observation if found.get("kind") == "observation" else Record
    for name in _LATER[kind]:
        found.setdefault(name, None)
    found |= cast(dict[str, Any], convert(found, kind))
    if not found["key"]:
        raise ValueError("key is empty")
    if kind is Observation:
        if (found["observed"] is None) == (found["status"] == "ok"):
            raise ValueError(f"an observation that is {found['status']} with the wrong content")
        return cast(Observation, found)
    if found["kind"] == "score" and None in (found["metric"], found["protocol"]):
        raise ValueError("a score without metric or protocol")
    return cast(Record, found)


def run(text: bytes) -> dict[str, Any]:
    """The content of a ``run.json``; ``run_id`` may be absent.

    Raises:
        ValueError: it cannot be used; says why.
    """
    found = _object(text)
    known = convert(found, _Run)
    if "/" in (name := known.get("run_id", "run")) or name in ("", ".", ".."):
        raise FieldError("run_id", "the name of a folder", json.dumps(name))
    texts = {"started": known["started"], "protocol": known["protocol"]}
    texts |= {f"source.{name}": known["source"][name] for name in ("name", "location")}
    for codec in known["codecs"]:
        texts |= {"codecs.codec_id": codec["codec_id"], "codecs.name": codec["name"]}
    for name, task in known.get("tasks", {}).items():
        texts |= {f"tasks.{name}.evaluator": task["evaluator"]}
        texts |= {f"tasks.{name}.evaluator_id": task["evaluator_id"]}
        for group, trials in task["trials"].items():
            if not {clip for _, *pair in trials for clip in pair} <= task["clips"].keys():
                where = f"tasks.{name}.trials.{group}"
                raise FieldError(where, "clips of the task", "others")
    for name, value in texts.items():
        if not value:
            raise FieldError(name, "a text", '""')
    return found


def _object(text: bytes) -> dict[str, Any]:
    """A JSON object of a schema that this version reads, its numbers finite."""
    try:
        decoded = text.decode("utf-8")
        found = _decoder.decode(decoded)
        if "\\ud" in decoded or "\\uD" in decoded:  # half a surrogate pair cannot be printed
            json.dumps(found, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at column {error.colno})") from None
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        raise ValueError(f"not UTF-8 ({error.reason})") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("not an object")
    schema = found.get("schema")
    if type(schema) is not int or schema > SCHEMA:
        raise ValueError(f"schema {schema!r}, this version reads up to {SCHEMA}: update sqbench")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a value")


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is not a finite number")
    return value


def _int(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(f"{digits[:_DIGITS]}... has too many digits")
    return int(digits)


_decoder = json.JSONDecoder(parse_constant=_no_constant, parse_float=_float, parse_int=_int)
