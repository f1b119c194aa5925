"""Trials as records of the results store, and back.

A record is one number of one seed of one cell: ``codec_id`` is the cell's identity, ``utterance``
the seed, ``metric`` the number's name. A run's description holds its cells under ``quantize``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any, Literal

from sqbench.digest import digest
from sqbench.metrics.base import Status
from sqbench.quantization.cell import VERSION, Cell
from sqbench.quantization.experiment import QuantizationTrial
from sqbench.store.reader import DONE, Store
from sqbench.store.record import SCHEMA, Record

KIND: Literal["quantize"] = "quantize"
PROTOCOL = "quantize"
MAIN = "snr_db"
"""A seed with a record of this metric is done."""
CPU = "cpu_s"


def of_trial(cell: Cell, trial: QuantizationTrial) -> list[Record]:
    """All records of a trial."""
    values = {**trial.values, CPU: trial.cpu_s}
    return [
        _record(
            cell,
            trial.seed,
            metric,
            value=value,
            status="ok" if value is not None else "undefined",
            reason=trial.reasons.get(metric),
        )
        for metric, value in values.items()
    ]


def of_failure(cell: Cell, seeds: Iterable[int], reason: str) -> list[Record]:
    """Records that say why seeds have no trial; they are tried again."""
    return [_record(cell, seed, MAIN, value=None, status="failed", reason=reason) for seed in seeds]


def _record(
    cell: Cell, seed: int, metric: str, *, value: float | None, status: Status, reason: str | None
) -> Record:
    return Record(
        schema=SCHEMA,
        kind=KIND,
        key=key(cell, seed, metric),
        codec=cell.label,
        codec_id=cell.identity,
        weights="none",
        source=cell.source_name,
        dataset=cell.block,
        category="",
        domain="",
        utterance=f"seed-{seed}",
        audio_sha256="",
        metric=metric,
        metric_version=VERSION,
        metric_identity=None,
        direction=None,
        protocol=PROTOCOL,
        value=value,
        status=status,
        reason=reason,
        duration_s=None,
        bits=cell.rate_bits,
        encode_s=None,
        decode_s=None,
    )


def key(cell: Cell, seed: int, metric: str) -> str:
    """Key of a record."""
    return digest(KIND, cell.identity, seed, metric)


def missing(cell: Cell, seeds: Iterable[int], store: Store) -> list[int]:
    """The seeds that have no result yet."""
    done = store.done_keys
    return [seed for seed in seeds if key(cell, seed, MAIN) not in done]


def trials(
    store: Store, cells: Sequence[Cell], seeds: Sequence[int]
) -> dict[str, list[QuantizationTrial]]:
    """Cell identity to its trials, in the order of ``seeds``; those that there are."""
    wanted = {cell.identity for cell in cells}
    found: dict[tuple[str, int], QuantizationTrial] = {}
    for record in store.records:
        if record["kind"] != KIND or record["codec_id"] not in wanted:
            continue
        seed = int(record["utterance"].removeprefix("seed-"))
        trial = found.setdefault(
            (record["codec_id"], seed), QuantizationTrial(seed=seed, values={})
        )
        metric = record["metric"] or ""
        if metric == CPU:
            trial = replace(trial, cpu_s=record["value"] or 0.0)
            found[record["codec_id"], seed] = trial
            continue
        trial.values[metric] = record["value"] if record["status"] in DONE else None
        if record["reason"]:
            trial.reasons[metric] = record["reason"]
    return {
        cell.identity: [found[cell.identity, s] for s in seeds if (cell.identity, s) in found]
        for cell in cells
    }


def run_description(
    cells: Sequence[Cell], seeds: Sequence[int], command: str, environment: dict[str, Any]
) -> dict[str, Any]:
    """``run.json`` of a run over these cells."""
    return {
        "command": command,
        "protocol": PROTOCOL,
        "metrics": {},
        "codecs": [],
        "source": {
            "name": "simulated",
            "location": "simulated",
            "selected": 0,
            "total": 0,
            "selection": {},
        },
        "quantize": {
            "version": VERSION,
            "seeds": list(seeds),
            "cells": {cell.identity: asdict(cell) for cell in cells},
        },
        "environment": environment,
    }
