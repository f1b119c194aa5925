"""The complexity table: for a terminal, as CSV, as JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from sqbench.complexity.run import Convention, CostRow
from sqbench.counting.macs import SECONDS
from sqbench.counting.paper import COUNTER
from sqbench.report import render
from sqbench.report.grid import Grid, GridCell, Head
from sqbench.report.notes import COUNTS

CSV_HEADER = (
    "model",
    "bitrate_bps",
    "num_codebooks",
    "macs_g",
    "params_m",
    "paper_macs_g",
    "paper_params_m",
)
SPEED_HEADER = ("encode_rtf", "decode_rtf", "peak_memory_mb", "lookahead_s")
STREAM_HEADER = ("latency_s", "first_packet_s", "chunk_rtf", "chunk_rtf_p95")
NOTHING = "\u2013"


def to_csv(rows: Sequence[CostRow]) -> str:
    """`CSV_HEADER`, `SPEED_HEADER` if anything was measured, `STREAM_HEADER` if a stream was; no
    value is an empty field."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    measured = any(row.speed for row in rows)
    streams = any(row.speed and row.speed.stream for row in rows)
    writer.writerow(
        (*CSV_HEADER, *(SPEED_HEADER if measured else ()), *(STREAM_HEADER if streams else ()))
    )
    for row in rows:
        published = row.published
        values: list[float | None] = [
            row.bitrate_bps,
            row.num_codebooks,
            row.macs / 1e9,
            row.params / 1e6,
            published.macs_g if published else None,
            published.params_m if published else None,
        ]
        if measured:
            values += [getattr(row.speed, name) if row.speed else None for name in SPEED_HEADER]
        if streams:
            values += [_stream(name)(row) for name in STREAM_HEADER]
        writer.writerow([row.model, *map(_exact, values)])
    return stream.getvalue()


def to_json(rows: Sequence[CostRow], convention: Convention) -> str:
    """Everything that is known, per codec: parts, operations that are not counted, reasons."""
    content = {"convention": convention, "seconds": SECONDS, "codecs": list(map(_object, rows))}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _object(row: CostRow) -> dict[str, Any]:
    found: dict[str, Any] = {
        "model": row.model,
        "bitrate_bps": row.bitrate_bps,
        "num_codebooks": row.num_codebooks,
        "macs": _finite(row.macs),
        "params": _finite(row.params),
        "reason": row.reason or None,
        "paper": {"macs_g": row.published.macs_g, "params_m": row.published.params_m}
        if row.published
        else None,
        "uniform_macs": {**asdict(row.operations), "per_s": row.operations.per_s}
        if row.operations
        else None,
        "parameters": asdict(row.parameters) if row.parameters else None,
        "seen": row.seen,
        "speed": None,
    }
    if row.speed:
        speed = asdict(row.speed)
        whole = math.isinf(row.speed.lookahead_s)
        stream = speed["stream"] and {k: _finite(v) for k, v in speed["stream"].items()}
        ahead = "whole clip" if whole else speed["lookahead_s"]
        found["speed"] = {**speed, "lookahead_s": ahead, "stream": stream}
    return found


def to_grid(rows: Sequence[CostRow], convention: Convention) -> Grid:
    """The table for people."""
    columns = [
        _column("Bitrate", "bps", lambda r: r.bitrate_bps, 0),
        _column("#Q", "", lambda r: r.num_codebooks, 0),
        _column("MACs", "G", lambda r: r.macs / 1e9),
        *(_beside_the_paper() if convention == "paper" else _by_part(rows)),
    ]
    if any(row.speed for row in rows):
        columns += [
            _column("Encode", "s/s", lambda r: r.speed.encode_rtf if r.speed else None, 3),
            _column("Decode", "s/s", lambda r: r.speed.decode_rtf if r.speed else None, 3),
            _column("Peak", "MB", lambda r: r.speed.peak_memory_mb if r.speed else None, 0),
            _column("Ahead", "s", lambda r: r.speed.lookahead_s if r.speed else None, 3),
        ]
    if any(row.speed and row.speed.stream for row in rows):
        columns += [
            _column("Latency", "s", _stream("latency_s"), 3),
            _column("First", "s", _stream("first_packet_s"), 3),
            _column("Chunk", "s/s", _stream("chunk_rtf"), 3),
            _column("Chunk 95 %", "s/s", _stream("chunk_rtf_p95"), 3),
        ]
    return Grid(
        title="",
        heads=[Head(title="Model", number=False), *(head for head, _ in columns)],
        groups=[[[GridCell(text=row.model), *(cell(row) for _, cell in columns)] for row in rows]],
        notes=[*_notes(rows, convention), *(_reason(row) for row in rows if row.reason)],
    )


def _stream(name: str) -> Callable[[CostRow], float | None]:
    """A figure of a row's stream."""
    return lambda row: getattr(row.speed.stream, name) if row.speed and row.speed.stream else None


def show(rows: Sequence[CostRow], convention: Convention) -> None:
    """Print the table for people."""
    render.show_grid(to_grid(rows, convention))


_Column = tuple[Head, Callable[[CostRow], GridCell]]


def _column(
    title: str, below: str, value: Callable[[CostRow], float | None], digits: int = 2
) -> _Column:
    return Head(title=title, below=below), lambda row: GridCell(text=_text(value(row), digits))


def _by_part(rows: Sequence[CostRow]) -> list[_Column]:
    def macs(part: str) -> _Column:
        return _column(
            "MACs",
            part,
            lambda r: r.operations.by_part.get(part, 0) / 1e9 if r.operations else None,
        )

    def params(part: str) -> _Column:
        return _column(
            "Params",
            part,
            lambda r: r.parameters.by_part.get(part, 0) / 1e6 if r.parameters else None,
        )

    other = any(row.operations and "other" in row.operations.by_part for row in rows)
    unused = any(row.parameters and "unused" in row.parameters.by_part for row in rows)
    parts = ["encoder", "quantizer", "decoder"]
    return [
        *map(macs, [*parts, "other"] if other else parts),
        _column("Params", "M", lambda r: r.params / 1e6),
        *map(params, [*parts, "unused"] if unused else parts),
        _column("Weights", "MB", lambda r: r.parameters.bytes / 1e6 if r.parameters else None, 1),
    ]


def _beside_the_paper() -> list[_Column]:
    def difference(ours: float, theirs: float) -> float:
        return 100 * (ours / theirs - 1)

    return [
        _column("paper", "G", lambda r: r.published.macs_g if r.published else None),
        _column(
            "diff.",
            "%",
            lambda r: difference(r.macs / 1e9, r.published.macs_g) if r.published else None,
            3,
        ),
        _column("Params", "M", lambda r: r.params / 1e6),
        _column("paper", "M", lambda r: r.published.params_m if r.published else None),
        _column(
            "diff.",
            "%",
            lambda r: difference(r.params / 1e6, r.published.params_m) if r.published else None,
            3,
        ),
        _column("Uniform", "G", lambda r: r.operations.total / 1e9 if r.operations else None),
    ]


def _reason(row: CostRow) -> str:
    return f"{row.model}: {row.reason.rstrip('.')}."


def _notes(rows: Sequence[CostRow], convention: Convention) -> Iterator[str]:
    if convention == "paper":
        yield f"MACs and Params by the rules of {COUNTER}, {SECONDS} s of audio, random weights."
        yield f"Uniform: torch's operation counter halved, on the same networks. {COUNTS}"
    else:
        yield (
            f"MACs: torch's operation counter halved, {SECONDS} s of audio, encoding and decoding, "
            "padding included; norms, activations and Fourier transforms are not counted, and "
            "listed by --format json."
        )
    if any(row.speed for row in rows):
        yield (
            "Encode, Decode: seconds of computing a second of audio. Peak: memory of the process, "
            "or of the GPU. Ahead: how far the codec listens ahead; clip: it needs all of it."
        )
    if any(row.speed and row.speed.stream for row in rows):
        yield (
            "Latency: by which a stream is behind, from its structure, computing and chunks aside. "
            "First: from the first sample in to the first out, in whole chunks, with computing. "
            "Chunk: seconds of computing a second of a chunk, both ways, median and 95 %."
        )


def _text(value: float | None, digits: int) -> str:
    if value is None or math.isnan(value):
        return NOTHING
    return "clip" if math.isinf(value) else f"{value:.{digits}f}"


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value


def _exact(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
