"""Makes records, runs and result folders for the tests of results and reports."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqbench.metrics.base import Status
from sqbench.store import record
from sqbench.store.record import Record
from sqbench.store.writer import RunWriter

DATASETS = {"librispeech": "speech", "quesst": "speech", "esc50": "audio"}
SIGNAL = {"sdr": 1, "mel": 1, "stoi": 1, "pesq": 1}


def describe(name: str = "codec-a", *, weights: str = "bundled", **fields: Any) -> dict[str, Any]:
    """What a run records of a codec."""
    description: dict[str, Any] = {
        "name": name,
        "sample_rate": 16000,
        "bitrate_bps": 6000.0,
        "num_codebooks": 1,
        "settings": {},
        "weights": {
            "source": weights,
            "sha256": None if weights == "none" else "1a2b3c4d" * 8,
            "detail": "",
        },
        "macs_g": 19.98,
        "params_m": 11.21,
        **fields,
    }
    description["codec_id"] = record.codec_id(description)
    return description


def label(codec: Mapping[str, Any]) -> str:
    weights = codec["weights"]
    return f"{weights['source']} {weights['sha256'][:8]}" if weights["sha256"] else "none"


def score(
    codec: Mapping[str, Any],
    utterance: str,
    metric: str,
    value: float | None,
    *,
    status: Status = "ok",
    reason: str | None = None,
    source: str = "mini",
    protocol: str = "slt2024",
    version: int = 1,
    audio: str = "",
    domain: str = "",
) -> Record:
    """A score record; the utterance's id starts with its dataset."""
    dataset = utterance.partition("/")[0]
    category = DATASETS.get(dataset, "speech")
    sha = audio or f"sha-{utterance}"
    return Record(
        schema=1,
        kind="score",
        key=record.score_key(
            codec["codec_id"], source, utterance, sha, metric, str(version), protocol
        ),
        codec=codec["name"],
        codec_id=codec["codec_id"],
        weights=label(codec),
        source=source,
        dataset=dataset,
        category=category,
        domain=domain or ("speech" if category == "speech" else "general"),
        utterance=utterance,
        audio_sha256=sha,
        metric=metric,
        metric_version=version,
        metric_identity=str(version),
        direction=None,
        protocol=protocol,
        value=value,
        status=status,
        reason=reason,
        duration_s=None,
        bits=None,
        encode_s=None,
        decode_s=None,
    )


def coding(
    codec: Mapping[str, Any],
    utterance: str,
    *,
    bits: float | None = 12000.0,
    seconds: float | None = 2.0,
    status: Status = "ok",
    reason: str | None = None,
    source: str = "mini",
) -> Record:
    """A coding record."""
    made = score(codec, utterance, "", None, source=source, status=status, reason=reason)
    made["kind"] = "coding"
    made["key"] = record.coding_key(codec["codec_id"], source, utterance, made["audio_sha256"])
    made["metric"] = made["metric_version"] = made["protocol"] = None
    made["duration_s"], made["bits"] = seconds, bits
    made["encode_s"] = made["decode_s"] = 0.1
    return made


def lose(record: Record, status: Status, reason: str) -> None:
    """Take a score record its value."""
    record["value"], record["status"], record["reason"] = None, status, reason


def value_of(metric: str, utterance: str, shift: float = 0.0) -> float:
    """A plausible value that differs between utterances and datasets."""
    dataset, _, number = utterance.partition("/")
    index = int(number) + 10 * list(DATASETS).index(dataset)
    base, spread = {"sdr": (7.0, 2.0), "mel": (0.9, 0.1), "stoi": (0.9, 0.02)}.get(
        metric, (2.8, 0.3)
    )
    return base + shift * spread + spread * math.sin(1.7 * index)


def full(codec: Mapping[str, Any], *, n: int = 4, shift: float = 0.0, **more: Any) -> list[Record]:
    """Coding and score records of ``n`` utterances in each dataset."""
    records = []
    for dataset, category in DATASETS.items():
        for i in range(n):
            utterance = f"{dataset}/{i:02d}"
            records.append(coding(codec, utterance, source=more.get("source", "mini")))
            metrics = SIGNAL if category == "speech" else ("sdr", "mel")
            records += [
                score(codec, utterance, m, value_of(m, utterance, shift), **more) for m in metrics
            ]
    return records


def selection(records: Iterable[Record]) -> dict[str, dict[str, str]]:
    """What a run that selected the utterances of these records says of them."""
    return {
        r["utterance"]: {
            "sha256": r["audio_sha256"],
            "dataset": r["dataset"],
            "category": r["category"],
            "domain": r["domain"],
        }
        for r in records
    }


def run(
    codecs: Sequence[Mapping[str, Any]],
    *,
    n: int = 4,
    source: str = "mini",
    protocol: str = "slt2024",
    metrics: Iterable[str] = SIGNAL,
    location: str = "",
    clips: Mapping[str, Mapping[str, str]] | None = None,
    total: int | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """The content of ``run.json`` as the runner gives it to the writer.

    It selects ``clips``, or else the ``n`` utterances a dataset that `full` makes records of;
    ``total`` is how many the source has, if not these.
    """
    chosen = selection(full(describe(), n=n)) if clips is None else dict(clips)
    return {
        "command": ["sqbench", "run"],
        "seed": 0,
        "suite": "signal",
        "protocol": protocol,
        "metrics": dict.fromkeys(metrics, 1),
        "codecs": [dict(codec) for codec in codecs],
        "source": {
            "name": source,
            "location": location or source,
            "sha256": "0" * 64,
            "selection": chosen,
            "total": len(chosen) if total is None else total,
            "selected": len(chosen),
        },
        "environment": {},
        **fields,
    }


def write(out: Path, content: dict[str, Any], records: Sequence[Record]) -> Path:
    """Write a finished run; returns its folder."""
    with RunWriter(out, content) as writer:
        writer.append(records)
    return writer.path
