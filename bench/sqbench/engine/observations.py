"""Observations as they are recorded: whose samples an evaluator heard, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqbench.engine.assignment import Assignment
from sqbench.errors import InputError
from sqbench.metrics.base import Status
from sqbench.store.record import ORIGINAL, SCHEMA, Observation
from sqbench.tasks.base import Clip


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A codec whose output is in the spool.

    Attributes:
        weights: label of its weights, for records.
        lost: utterance id to why there is no audio of it.
    """

    name: str
    codec_id: str
    weights: str
    lost: dict[str, str] = field(default_factory=dict)


ORIGINALS = Decoded(name=ORIGINAL, codec_id=ORIGINAL, weights="none")


@dataclass(frozen=True)
class Brought:
    """A clip of a codec, and the hash of the samples that an evaluator gets of it."""

    codec: Decoded
    clip: Clip
    content: str | None


def judged(assignment: Assignment, who: Brought, observed: Mapping[str, Any]) -> Observation:
    """What was heard, with what the truth says of it."""
    try:
        said = assignment.task.judge(observed, who.clip)
    except Exception as error:
        return lost(assignment, who, error)
    return _record(assignment, who, said, "ok", None)


def lost(assignment: Assignment, who: Brought, error: Exception | str) -> Observation:
    """Nothing was heard, and why."""
    known = isinstance(error, InputError | OSError | str)
    reason = str(error) if known else f"{type(error).__name__}: {error}"
    return _record(assignment, who, None, "failed", reason)


def _record(
    assignment: Assignment,
    who: Brought,
    observed: dict[str, Any] | None,
    status: Status,
    reason: str | None,
) -> Observation:
    return Observation(
        schema=SCHEMA,
        kind="observation",
        key=assignment.key(who.codec.codec_id, who.clip),
        codec=who.codec.name,
        codec_id=who.codec.codec_id,
        weights=who.codec.weights,
        source=assignment.source,
        utterance=who.clip.id,
        audio_sha256=assignment.items[who.clip.id].audio_sha256,
        heard_sha256=who.content,
        task=assignment.task.name,
        evaluator=assignment.label,
        evaluator_id=assignment.evaluator_id,
        observed=observed,
        status=status,
        reason=reason,
    )
