"""The records: one JSON object a line, flat enough for a data frame, traceable to weights and data.

Five kinds share a file. A ``score`` record is one metric on one utterance; a ``coding`` record is
one codec on one utterance (bits, seconds); an ``observation`` is what an evaluator heard in one
utterance, decoded or original (`Observation`); a ``quantize`` record is one number of one trial of
`sqbench.quantization`; a ``rated`` record is one metric on a stimulus that listeners rated
(`sqbench.agreement`). `key` names the work, so that resuming, adding a metric and merging the
results of two machines are one operation: compute the missing keys.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from sqbench.digest import digest
from sqbench.metrics.base import Status

SCHEMA = 1


class Record(TypedDict):
    """One line of ``records.jsonl``."""

    schema: int
    kind: Literal["score", "coding", "quantize", "rated"]
    key: str
    codec: str
    codec_id: str
    weights: str
    source: str
    dataset: str
    category: str
    domain: str
    utterance: str
    audio_sha256: str
    metric: str | None
    metric_version: int | None
    metric_identity: str | None
    direction: Literal["higher", "lower"] | None
    protocol: str | None
    value: float | None
    status: Status
    reason: str | None
    duration_s: float | None
    bits: float | None
    encode_s: float | None
    decode_s: float | None


class Observation(TypedDict):
    """One line of ``records.jsonl``: what an evaluator heard.

    ``codec`` and ``codec_id`` are ``original`` for the original audio, whose key names neither
    source nor utterance: the same content is heard once. ``observed`` is the task's, and ``None``
    unless ``status`` is ``ok``. ``heard_sha256`` is of the samples that the evaluator got, with
    their rate (`sqbench.engine.hearing.content_of`); ``None`` where it got none, or of old records.
    """

    schema: int
    kind: Literal["observation"]
    key: str
    codec: str
    codec_id: str
    weights: str
    source: str
    utterance: str
    audio_sha256: str
    heard_sha256: str | None
    task: str
    evaluator: str
    evaluator_id: str
    observed: dict[str, Any] | None
    status: Status
    reason: str | None


ORIGINAL = "original"
"""In the place of a codec's name and id: the audio as it was before any codec."""


def codec_id(description: dict[str, Any]) -> str:
    """Identity of a codec as loaded: name, settings and weights hash, nothing of the machine."""
    weights = description["weights"]
    return digest(
        description["name"], description["settings"], weights["source"] != "none", weights["sha256"]
    )[:12]


def score_key(
    codec: str,
    source: str,
    utterance: str,
    audio_sha256: str,
    metric: str,
    identity: str,
    protocol: str,
) -> str:
    """Key of a score record; ``codec`` is the `codec_id`, ``identity`` the metric's."""
    return digest("score", codec, source, utterance, audio_sha256, metric, identity, protocol)


def coding_key(codec: str, source: str, utterance: str, audio_sha256: str) -> str:
    """Key of a coding record; ``codec`` is the `codec_id`."""
    return digest("coding", codec, source, utterance, audio_sha256)


def observation_key(
    codec: str,
    source: str,
    utterance: str,
    audio_sha256: str,
    task: str,
    evaluator: str,
    judgement: str,
) -> str:
    """Key of an observation.

    Args:
        codec: the `codec_id`, or `ORIGINAL`.
        task: its name and version.
        evaluator: the evaluator's id.
        judgement: what the record depends on of the truth (a transcript), if anything.
    """
    if codec == ORIGINAL:
        source = utterance = ""
    return digest("observation", codec, source, utterance, audio_sha256, task, evaluator, judgement)
