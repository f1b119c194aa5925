"""From records to table rows: means per dataset, then the unweighted mean over datasets.

The protocol's rules, all of them here:

* a dataset's score is the plain mean over its utterances; files are never pooled over datasets;
* ``sdr``, ``mel``, ``stoi`` and ``pesq`` are unweighted means over the speech datasets,
  ``audio_sdr`` and ``audio_mel`` over the audio datasets;
* utterances reproduced sample for sample have no meaningful SDR: counted, kept out of the mean;
* what has no value has none: it lowers the count, never the mean. With ``failures="drop"`` a
  dataset that lacks one value of one metric leaves all the metrics of its category, which is what
  the published scripts do in silence; here the row says so, and with no dataset left there is no
  value.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from sqbench.results.record import Record
from sqbench.results.row import SIGNAL_METRICS, Cell, Row, SetScore, column
from sqbench.results.store import Store
from sqcodec.errors import InputError

Failures = Literal["mean", "drop"]

_MAY_BE_NEGATIVE = ("sdr",)
"""The published scripts read a negative dataset mean of these metrics only."""


def rows(store: Store, *, failures: Failures = "mean") -> list[Row]:
    """All rows of a store, by source, protocol and first appearance of the codec.

    Args:
        store: loaded results.
        failures: what a missing value does: ``mean`` takes the mean of the rest, ``drop`` takes
            the dataset out of its category (module docstring).

    Raises:
        InputError: another value of ``failures``.
    """
    if failures not in ("mean", "drop"):
        raise InputError("failures", expected="mean or drop", found=repr(failures))
    names: dict[str, str] = {}
    coding: dict[tuple[str, str], list[Record]] = {}
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for record in store.records:
        names[record["codec_id"]] = record["codec"]
        if record["kind"] == "coding":
            coding.setdefault((record["source"], record["codec_id"]), []).append(record)
        else:
            key = (record["source"], record["protocol"] or "", record["codec_id"])
            groups.setdefault(key, []).append(record)
    if store.records:  # a codec that failed throughout has a row too
        for run in store.runs:
            source = run.get("source", {}).get("name")
            for codec in run.get("codecs", ()):
                if source and "codec_id" in codec:
                    names.setdefault(codec["codec_id"], codec["name"])
                    groups.setdefault((source, run.get("protocol") or "", codec["codec_id"]), [])
    labels = _labels(names)
    result = [
        _row(key, labels, records, coding.get((key[0], key[2]), []), store.runs, failures)
        for key, records in groups.items()
    ]
    order = {source: i for i, source in enumerate(dict.fromkeys(r.source for r in result))}
    return sorted(result, key=lambda row: (order[row.source], row.protocol))


def _row(
    key: tuple[str, str, str],
    labels: Mapping[str, tuple[str, str]],
    records: list[Record],
    coding: list[Record],
    all_runs: list[dict[str, Any]],
    failures: Failures,
) -> Row:
    source, protocol, codec_id = key
    runs = [run for run in all_runs if _describes(run, source, codec_id)]
    under = [run for run in runs if run.get("protocol", protocol) == protocol]
    chosen = current(records)
    cells = _cells(chosen, under)
    described = _description(runs, codec_id)
    weights = [record["weights"] for record in (*coding, *records)]
    return Row(
        source=source,
        protocol=protocol,
        codec=labels[codec_id][0],
        codec_id=codec_id,
        label=labels[codec_id][1],
        weights=weights[-1] if weights else "",
        description=described,
        measured_bps=_measured_bps(coding),
        cells=_drop(cells) if failures == "drop" else cells,
        reasons=_reasons(chosen, coding),
        selected=_largest(run["source"].get("selected") for run in under),
        total=_largest(run["source"].get("total") for run in under),
        versions=_versions(records),
        hashes={record["utterance"]: record["audio_sha256"] for record in chosen},
    )


def _labels(names: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """codec_id to the codec's name and a label that no other codec has."""
    count = Counter(names.values())
    return {
        codec_id: (name, name if count[name] == 1 else f"{name}@{codec_id[:8]}")
        for codec_id, name in names.items()
    }


def _describes(run: Mapping[str, Any], source: str, codec_id: str) -> bool:
    return run.get("source", {}).get("name") == source and any(
        codec.get("codec_id") == codec_id for codec in run.get("codecs", ())
    )


def _description(runs: Iterable[Mapping[str, Any]], codec_id: str) -> dict[str, Any]:
    """What the runs say of a codec; the newest known value of each field."""
    merged: dict[str, Any] = {}
    for run in runs:
        for codec in run["codecs"]:
            if codec.get("codec_id") == codec_id:
                merged.update({k: v for k, v in codec.items() if v is not None or k not in merged})
    return merged


def _largest(values: Iterable[int | None]) -> int | None:
    return max((v for v in values if v is not None), default=None)


def _versions(records: Iterable[Record]) -> dict[str, int]:
    newest: dict[str, int] = {}
    for record in records:
        metric, version = record["metric"] or "", record["metric_version"] or 0
        newest[metric] = max(newest.get(metric, 0), version)
    return newest


def current(records: list[Record]) -> list[Record]:
    """One record per utterance and metric: the newest of the metric's newest version.

    Two records differ in key where the audio behind an id or the metric's version changed.
    """
    newest = _versions(records)
    found: dict[tuple[str, str, str], Record] = {}
    for record in records:
        metric = record["metric"] or ""
        if (record["metric_version"] or 0) == newest[metric]:
            found[record["dataset"], record["utterance"], metric] = record
    return list(found.values())


def _cells(chosen: list[Record], runs: list[dict[str, Any]]) -> dict[str, Cell]:
    groups: dict[tuple[str, str, str], list[Record]] = {}
    seen: dict[tuple[str, str], set[str]] = {}
    for record in chosen:
        category, dataset, metric = record["category"], record["dataset"], record["metric"] or ""
        groups.setdefault((category, metric, dataset), []).append(record)
        seen.setdefault((category, dataset), set()).add(record["utterance"])
    expected = _expected(runs, seen)
    wanted = {(category, metric) for category, metric, _ in groups}
    asked = {metric for run in runs for metric in run.get("metrics", {})}
    for category, _ in expected:
        wanted |= {(category, m) for m in SIGNAL_METRICS.get(category, ()) if m in asked}
    cells = {}
    for category, metric in sorted(wanted, key=_protocol_order):
        sets = tuple(
            _set_score(dataset, category, metric, groups.get((category, metric, dataset), []), n)
            for (kind, dataset), n in sorted(expected.items())
            if kind == category
        )
        cells[column(category, metric)] = Cell(category=category, metric=metric, sets=sets)
    return cells


def _protocol_order(item: tuple[str, str]) -> tuple[int, int, str]:
    category, metric = item
    known = SIGNAL_METRICS.get(category, ())
    place = known.index(metric) if metric in known else len(known)
    return (0 if category == "speech" else 1, place, metric)


def _expected(
    runs: Iterable[Mapping[str, Any]], seen: Mapping[tuple[str, str], set[str]]
) -> dict[tuple[str, str], int]:
    """(category, dataset) to the number of utterances: the most that a run or the records name.

    A run names one category a dataset; what the records show of another one (a manifest may mix
    speech and music in a set) is not expected a second time.
    """
    counts = {key: len(utterances) for key, utterances in seen.items()}
    for run in runs:
        for dataset, entry in run["source"].get("expected", {}).items():
            key = (entry["category"], dataset)
            elsewhere = sum(len(u) for k, u in seen.items() if k[1] == dataset and k != key)
            counts[key] = max(counts.get(key, 0), entry["utterances"] - elsewhere)
    return counts


def _set_score(
    dataset: str, category: str, metric: str, records: list[Record], expected: int
) -> SetScore:
    pairs = sorted(
        (r["utterance"], float(r["value"]))
        for r in records
        if r["status"] == "ok" and r["value"] is not None and math.isfinite(r["value"])
    )
    status = Counter(record["status"] for record in records)
    return SetScore(
        dataset=dataset,
        category=category,
        metric=metric,
        utterances=tuple(utterance for utterance, _ in pairs),
        values=np.array([value for _, value in pairs], dtype=np.float64),
        expected=expected,
        identical=status["identical"],
        undefined=status["undefined"],
        failed=status["failed"],
    )


def _drop(cells: Mapping[str, Cell]) -> dict[str, Cell]:
    """Take out every dataset in which a metric of its category lacks a value."""
    why: dict[tuple[str, str], str] = {}
    for cell in cells.values():
        if cell.metric not in SIGNAL_METRICS.get(cell.category, ()):
            continue
        for s in cell.sets:
            if s.scored < s.expected:
                reason = f"{s.metric} has {s.scored} of {s.expected}"
            elif s.mean is not None and s.mean < 0 and s.metric not in _MAY_BE_NEGATIVE:
                reason = f"{s.metric} has a negative mean"
            else:
                continue
            why.setdefault((s.category, s.dataset), reason)
    return {
        name: Cell(
            category=cell.category,
            metric=cell.metric,
            sets=tuple(_dropped(s, why.get((s.category, s.dataset))) for s in cell.sets),
        )
        for name, cell in cells.items()
    }


def _dropped(score: SetScore, why: str | None) -> SetScore:
    return replace(score, dropped=why) if why else score


def _reasons(
    records: Iterable[Record], coding: Iterable[Record]
) -> dict[tuple[str, str, str], int]:
    """(metric, status, reason) to count; metric ``coding`` where no metric was reached."""
    missing = [record for record in records if record["status"] != "ok"]
    scored = {record["utterance"] for record in records}
    missing += [r for r in coding if r["status"] != "ok" and r["utterance"] not in scored]
    return dict(
        Counter(
            (record["metric"] or "coding", record["status"], record["reason"] or "no reason given")
            for record in missing
        ).most_common()
    )


def _measured_bps(records: Iterable[Record]) -> float | None:
    """Bits over seconds, of the clips that were coded."""
    newest = {record["utterance"]: record for record in records}
    done = [r for r in newest.values() if r["bits"] is not None and r["duration_s"]]
    seconds = math.fsum(r["duration_s"] or 0.0 for r in done)
    return math.fsum(r["bits"] or 0.0 for r in done) / seconds if seconds > 0 else None
