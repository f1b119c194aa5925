"""From records to table rows: means per dataset, then the unweighted mean over datasets.

The protocol's rules, all of them here:

* a dataset's score is the plain mean over its utterances; files are never pooled over datasets;
* ``sdr``, ``mel``, ``stoi`` and ``pesq`` are unweighted means over the speech datasets,
  ``audio_sdr`` and ``audio_mel`` over the audio datasets;
* utterances reproduced sample for sample have no meaningful SDR: counted, kept out of the mean;
* what has no value has none: it lowers the count, never the mean. With ``failures="drop"`` a
  dataset that lacks one value of one metric leaves all the metrics of its category, which is what
  the published scripts do in silence; here the row says so, and with no dataset left there is no
  value;
* only records of the utterances, and of the audio, that the selection in force has are counted,
  in the dataset and category that it names (`sqbench.store.selection`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from sqbench.errors import InputError
from sqbench.store.reader import Store
from sqbench.store.record import Record
from sqbench.store.row import SIGNAL_METRICS, MetricCell, ResultRow, SetScore, column
from sqbench.store.selection import Applies, InForce, in_force

Failures = Literal["mean", "drop"]
Key = tuple[str, str, str]
"""Source, protocol, codec id: what a row is of."""

_MAY_BE_NEGATIVE = ("sdr",)
"""The published scripts read a negative dataset mean of these metrics only."""


def rows(store: Store, *, failures: Failures = "mean") -> list[ResultRow]:
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
    if not store.records and not store.observations:
        return []
    coding: dict[tuple[str, str], list[Record]] = {}
    scores: dict[Key, list[Record]] = {}
    for record in store.records:
        if record["kind"] == "coding":
            coding.setdefault((record["source"], record["codec_id"]), []).append(record)
        elif record["kind"] == "score":
            key = (record["source"], record["protocol"] or "", record["codec_id"])
            scores.setdefault(key, []).append(record)
    names: dict[str, str] = {}
    runs: dict[Key, list[dict[str, Any]]] = {}
    described: dict[tuple[str, str], dict[str, Any]] = {}
    last: dict[Key, tuple[str, str]] = {}
    for run in store.runs:
        if "source" not in run:
            continue  # unusable; the store's problems say why
        source = run["source"]["name"]
        for codec in run["codecs"]:
            identity = codec["codec_id"]
            names[identity] = codec["name"]
            of_key = runs.setdefault((source, run["protocol"], identity), [])
            last[source, run["protocol"], identity] = (run["started"], run["run_id"])
            if run["metrics"] or not run.get("tasks"):
                of_key.append(run)
            known = described.setdefault((source, identity), {})
            known.update({k: v for k, v in codec.items() if v is not None or k not in known})
    labels = _labels(names)
    result = []
    for key, of_key in runs.items():
        source, _, identity = key
        if not of_key:
            found = coding.get((source, identity), [])
            result.append(
                _unmeasured(key, labels[identity], found, described[source, identity], last[key])
            )
            continue
        row = _row(
            key,
            labels[identity],
            in_force(of_key),
            scores.get(key, []),
            coding.get((source, identity), []),
            described[source, identity],
            last[key],
        )
        result.append(replace(row, cells=_drop(row.cells)) if failures == "drop" else row)
    order = {source: i for i, source in enumerate(dict.fromkeys(r.source for r in result))}
    return sorted(result, key=lambda row: (order[row.source], row.protocol))


def _row(
    key: Key,
    name: tuple[str, str],
    selection: InForce,
    all_scores: list[Record],
    all_coding: list[Record],
    description: Mapping[str, Any],
    last_run: tuple[str, str],
) -> ResultRow:
    source, protocol, codec_id = key
    coding = _selected(all_coding, selection)
    of_selection = _selected(all_scores, selection)
    applies = Applies(all_scores, selection.clips)
    scores, older = current(r for r in of_selection if applies(r["metric"] or "", r["category"]))
    weights = [record["weights"] for record in (*all_coding, *all_scores)]
    return ResultRow(
        source=source,
        protocol=protocol,
        codec=name[0],
        codec_id=codec_id,
        label=name[1],
        weights=weights[-1] if weights else "",
        description=description,
        measured_bps=_measured_bps(coding),
        cells=_cells(scores, selection, applies),
        reasons=_reasons(scores, coding),
        selected=len(selection.clips),
        total=selection.total,
        versions=_versions(scores),
        older=older,
        directions={r["metric"] or "": r["direction"] for r in scores if r["direction"]},
        last_run=last_run,
        location=selection.location,
        elsewhere=selection.elsewhere,
        hashes={u: clip["sha256"] for u, clip in selection.clips.items() if clip["sha256"]},
        records=tuple(scores),
    )


def _unmeasured(
    key: Key,
    name: tuple[str, str],
    coding: list[Record],
    description: Mapping[str, Any],
    last_run: tuple[str, str],
) -> ResultRow:
    """The row of a codec that evaluators heard, and no metric measured."""
    source, protocol, codec_id = key
    return ResultRow(
        source=source,
        protocol=protocol,
        codec=name[0],
        codec_id=codec_id,
        label=name[1],
        weights=coding[-1]["weights"] if coding else "",
        description=description,
        measured_bps=_measured_bps(coding),
        cells={},
        reasons={},
        selected=0,
        total=0,
        versions={},
        older={},
        directions={},
        last_run=last_run,
        location="",
        elsewhere=(),
        hashes={},
        records=(),
    )


def _selected(records: Iterable[Record], selection: InForce) -> list[Record]:
    """The records of the selection's audio, filed as the selection says."""
    found = []
    for record in records:
        clip = selection.clips.get(record["utterance"])
        if clip is not None and clip["sha256"] == record["audio_sha256"]:
            filed = record.copy()
            filed["dataset"], filed["domain"] = clip["dataset"], clip["domain"]
            filed["category"] = clip["category"]
            found.append(filed)
    return found


def _labels(names: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """codec_id to the codec's name and a label that no other codec has."""
    count = Counter(names.values())
    return {
        codec_id: (name, name if count[name] == 1 else f"{name}@{codec_id[:8]}")
        for codec_id, name in names.items()
    }


def _versions(records: Iterable[Record]) -> dict[str, int]:
    newest: dict[str, int] = {}
    for record in records:
        metric, version = record["metric"] or "", record["metric_version"] or 0
        newest[metric] = max(newest.get(metric, 0), version)
    return newest


def current(records: Iterable[Record]) -> tuple[list[Record], dict[str, int]]:
    """One record per utterance and metric, all of the metric as it was when it last measured.

    Of a metric's newest version the newest identity counts (its code, where it is somebody's own
    file); values of two of them are never averaged.

    Returns:
        The records, and by metric how many utterances have only a value of an older identity.
    """
    records = list(records)
    newest = _versions(records)
    identity: dict[str, str | None] = {}
    for record in records:
        metric = record["metric"] or ""
        if (record["metric_version"] or 0) == newest[metric]:
            identity[metric] = record["metric_identity"]
    found: dict[tuple[str, str], Record] = {}
    older: set[tuple[str, str]] = set()
    for record in records:
        metric = record["metric"] or ""
        # Records of earlier versions of this program do not say; their keys do.
        same = record["metric_identity"] in (identity.get(metric), None)
        if (record["metric_version"] or 0) == newest[metric] and same:
            found[record["utterance"], metric] = record
        elif record["status"] in ("ok", "identical"):
            older.add((record["utterance"], metric))
    left_out = Counter(metric for utterance, metric in older - found.keys())
    return list(found.values()), dict(left_out)


def _cells(scores: Iterable[Record], selection: InForce, applies: Applies) -> dict[str, MetricCell]:
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for record in scores:
        key = (record["category"], record["metric"] or "", record["dataset"])
        groups.setdefault(key, []).append(record)
    expected = Counter((clip["category"], clip["dataset"]) for clip in selection.clips.values())
    wanted = {(category, metric) for category, metric, _ in groups}
    for category in {category for category, _ in expected}:
        wanted |= {(category, metric) for metric in selection.metrics if applies(metric, category)}
    cells = {}
    for category, metric in sorted(wanted, key=_protocol_order):
        sets = tuple(
            _set_score(dataset, category, metric, groups.get((category, metric, dataset), []), n)
            for (kind, dataset), n in sorted(expected.items())
            if kind == category
        )
        cells[column(category, metric)] = MetricCell(category=category, metric=metric, sets=sets)
    return cells


def _protocol_order(item: tuple[str, str]) -> tuple[int, int, str]:
    category, metric = item
    known = SIGNAL_METRICS.get(category, ())
    place = known.index(metric) if metric in known else len(known)
    return (0 if category == "speech" else 1, place, metric)


def _set_score(
    dataset: str, category: str, metric: str, records: list[Record], expected: int
) -> SetScore:
    pairs = sorted(
        (r["utterance"], float(r["value"]))
        for r in records
        if r["status"] == "ok" and r["value"] is not None
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


def _drop(cells: Mapping[str, MetricCell]) -> dict[str, MetricCell]:
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
        name: MetricCell(
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
    done = [r for r in records if r["bits"] is not None and r["duration_s"]]
    seconds = math.fsum(r["duration_s"] or 0.0 for r in done)
    return math.fsum(r["bits"] or 0.0 for r in done) / seconds if seconds > 0 else None
