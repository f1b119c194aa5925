"""Text of a results folder to records and runs, every field's type checked.

What is read here was written by other versions, on other machines, or cut by a full disk. Nothing
after this module looks at types again, so a damaged line costs itself and nothing else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, Union, cast, get_args, get_origin, get_type_hints

from sqbench.store.record import SCHEMA, Observation, Record

_LATER, _LATER_HEARD = ("metric_identity", "direction"), ("heard_sha256",)
"""Fields that records, and observations, of earlier versions do not have."""

_DIGITS = 18
"""Integers of more digits do not fit 64 bits, and a float of them may be infinite."""

_HEARD = ("sha256", "dataset", "label", "group", "alternative")
"""What a run says of each clip of a task; all text."""

_CLIP = ("sha256", "dataset", "category", "domain")
"""What a run says of each utterance that it selected; all text."""


def record(line: bytes) -> Record | Observation:
    """The record of one line of ``records.jsonl``.

    Raises:
        ValueError: it is none; says why.
    """
    found = _object(line)
    heard = found.get("kind") == "observation"
    fields = _OBSERVATION_FIELDS if heard else _FIELDS
    for name in _LATER_HEARD if heard else _LATER:
        found.setdefault(name, None)
    if missing := fields.keys() - found.keys():
        raise ValueError(f"fields missing: {', '.join(sorted(missing))}")
    for name, (types, values) in fields.items():
        value = found[name]
        if type(value) not in types and not (isinstance(value, str) and value in values):
            raise _wrong(name, _wanted(types, values), value)
    if not found["key"]:
        raise ValueError("key is empty")
    if heard:
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
    if "run_id" in found:
        name = _text(found, "run_id")
        if "/" in name or name in (".", ".."):
            raise _wrong("run_id", "the name of a folder", name)
    _text(found, "started")
    _text(found, "protocol")
    for name, version in _mapping(found, "metrics").items():
        if type(version) is not int:
            raise _wrong(f"metrics.{name}", "an integer", version)
    codecs = found.get("codecs")
    if not isinstance(codecs, list):
        raise _wrong("codecs", "a list", codecs)
    for codec in codecs:
        if not isinstance(codec, dict):
            raise _wrong("codecs", "a list of objects", codec)
        _text(codec, "codec_id", "codecs.")
        _text(codec, "name", "codecs.")
    _check_source(_mapping(found, "source"))
    if "tasks" in found:
        for name, task in _mapping(found, "tasks").items():
            _check_task(f"tasks.{name}.", task)
    return found


def _check_task(where: str, task: Any) -> None:
    if not isinstance(task, dict):
        raise _wrong(where.rstrip("."), "an object", task)
    for name in ("evaluator", "evaluator_id"):
        _text(task, name, where)
    for name in ("version", "selected", "total"):
        if type(task.get(name)) is not int:
            raise _wrong(where + name, "an integer", task.get(name))
    clips = _mapping(task, "clips", where)
    for utterance, clip in clips.items():
        if not (isinstance(clip, dict) and all(isinstance(clip.get(k), str) for k in _HEARD)):
            raise _wrong(f"{where}clips.{utterance}", f"the texts {', '.join(_HEARD)}", clip)
    for name, trials in _mapping(task, "trials", where).items():
        for trial in trials if isinstance(trials, list) else [trials]:
            if not (isinstance(trial, list) and len(trial) == 3 and {*trial[1:]} <= clips.keys()):
                raise _wrong(f"{where}trials.{name}", "a list of [target, clip, clip]", trial)


def _check_source(source: Mapping[str, Any]) -> None:
    _text(source, "name", "source.")
    _text(source, "location", "source.")
    for name in ("selected", "total"):
        if type(source.get(name)) is not int:
            raise _wrong(f"source.{name}", "an integer", source.get(name))
    if "expected" in source:
        for name, entry in _mapping(source, "expected", "source.").items():
            if not isinstance(entry, dict):
                raise _wrong(f"source.expected.{name}", "an object", entry)
    for utterance, clip in _mapping(source, "selection", "source.").items():
        if not (isinstance(clip, dict) and all(isinstance(clip.get(k), str) for k in _CLIP)):
            wanted = f"the texts {', '.join(_CLIP)}"
            raise _wrong(f"source.selection.{utterance}", wanted, clip)


def _text(found: Mapping[str, Any], name: str, where: str = "") -> str:
    value = found.get(name)
    if not (isinstance(value, str) and value):
        raise _wrong(where + name, "a text", value)
    return value


def _mapping(found: Mapping[str, Any], name: str, where: str = "") -> dict[str, Any]:
    value = found.get(name)
    if not isinstance(value, dict):
        raise _wrong(where + name, "an object", value)
    return value


def _wrong(name: str, wanted: str, value: object) -> ValueError:
    shown = json.dumps(value, ensure_ascii=False)
    shown = shown if len(shown) <= 60 else f"{shown[:59]}…"
    return ValueError(f"{name} {shown}, expected {wanted}")


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

_Field = tuple[frozenset[type], frozenset[str]]


def _field(annotation: Any) -> _Field:
    """The JSON types, and the texts, that a field's annotation allows."""
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    texts = [part for part in parts if get_origin(part) is Literal]
    types = frozenset(get_origin(part) or part for part in parts if part not in texts)
    values = frozenset(value for part in texts for value in get_args(part))
    return (types | {int} if float in types else types), values


_FIELDS: Mapping[str, _Field] = {
    name: _field(annotation) for name, annotation in get_type_hints(Record).items()
}
_OBSERVATION_FIELDS: Mapping[str, _Field] = {
    name: _field(annotation) for name, annotation in get_type_hints(Observation).items()
}

_WORDS = {str: "a text", float: "a number", int: "an integer", dict: "an object", NoneType: "null"}


def _wanted(types: frozenset[type], values: frozenset[str]) -> str:
    named = types - {int} if float in types else types
    words = [word for kind, word in _WORDS.items() if kind in named]
    return " or ".join([*words, *sorted(values)])
