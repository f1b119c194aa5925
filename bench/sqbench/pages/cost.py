"""What each codec costs, as records say: operations both ways, seconds, memory, look-ahead."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqbench.complexity import known
from sqbench.errors import InputError
from sqbench.published import rows as paper
from sqbench.store.reader import Store
from sqbench.store.row import ResultRow
from sqbench_codecs import CodecSpec

SPEED = ("encode_rtf", "decode_rtf", "peak_memory_mb", "lookahead_s")
Measured = Mapping[str, Mapping[str, Any]]
"""Codec's name to its object in the output of ``sqbench complexity --speed --format json``."""


def measured(path: Path | None) -> Measured:
    """What ``sqbench complexity --format json`` wrote.

    Raises:
        InputError: the file is none of its.
    """
    if path is None:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {codec["model"]: codec for codec in content["codecs"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"--cost {path}",
            expected="the output of `sqbench complexity --speed --format json`",
            found=f"{type(error).__name__}: {error}",
        ) from error


def published_as(row: ResultRow) -> paper.SignalRow | None:
    """The row of the paper that a codec is, by its recorded facts."""
    described = row.description
    sizes, rate = described.get("codebook_sizes"), described.get("sample_rate")
    if not isinstance(sizes, list) or not isinstance(rate, int):
        return None
    spec = CodecSpec(
        name=row.codec,
        sample_rate=rate,
        frame_rate=row.number("frame_rate"),
        codebook_sizes=tuple(sizes),
        bitrate_bps=row.number("bitrate_bps"),
    )
    return paper.published(spec)


def of_row(row: ResultRow, store: Store, told: Measured) -> dict[str, Any]:
    """A codec's cost; ``None`` where nothing says, and ``reason`` why operations are not counted.

    Operations are for 10 s of audio. ``encode_rtf`` and ``decode_rtf`` are seconds of computing a
    second of audio: of the measurement, where there is one (``measured``), else over the clips.
    """
    one = told.get(row.codec, {})
    match = published_as(row)
    speed = one.get("speed") or {}
    found: dict[str, Any] = {
        "macs_g": row.number("macs_g"),
        "params_m": row.number("params_m"),
        "paper_macs_g": match.macs_g if match else None,
        "paper_params_m": match.params_m if match else None,
        "reason": row.description.get("not_counted") or "no network to count",
        "measured": bool(speed),
        **{name: speed.get(name) for name in SPEED},
    }
    if not speed:
        found["encode_rtf"], found["decode_rtf"] = _of_run(row, store)
    if found["macs_g"] is not None:
        found["reason"] = None
    return found


def of_published(row: paper.SignalRow) -> dict[str, Any]:
    """The cost of a row of the paper: as printed, and counted uniformly."""
    return {
        "macs_g": known.uniform_macs_g().get(known.key(row)),
        "params_m": row.params_m,
        "paper_macs_g": row.macs_g,
        "paper_params_m": row.params_m,
    }


def _of_run(row: ResultRow, store: Store) -> tuple[float | None, float | None]:
    """Seconds of computing a second of audio, over the clips of the row's source."""
    coded = [
        record
        for record in store.records
        if record["kind"] == "coding"
        and record["codec_id"] == row.codec_id
        and record["source"] == row.source
        and record["duration_s"]
    ]
    return _ratio(coded, "encode_s"), _ratio(coded, "decode_s")


def _ratio(coded: Sequence[Mapping[str, Any]], name: str) -> float | None:
    some = [record for record in coded if record[name] is not None]
    seconds = math.fsum(record["duration_s"] for record in some)
    return math.fsum(record[name] for record in some) / seconds if seconds > 0 else None
