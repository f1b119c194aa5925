"""Results in the formats of Codec-SUPERB, to submit or to set beside others.

``slt`` (branch SLT_Challenge): one folder per codec with a ``<dataset>.log`` for each dataset and
``results.txt``, as its scripts write them and as submissions quote them. In a log, each metric has
the line ``<name>: mean score is: <mean over the files>``, the names being ``SDR``, ``mel_loss``,
``stoi`` and ``pesq``; a metric without a score for every file has an empty line there, which its
scripts take as "leave this dataset out". ``results.txt`` holds the logs and the unweighted means
over datasets (``Average SDR for speech datasets: ...``); after them, in lines of our own, what the
format has no place for. Where no dataset is left the mean is ``nan`` (the scripts print 0).

``main`` (branch main): one JSON, ``{codec: {split | "overall": {metric: mean}}}``, splits being
``Speech``, ``Audio`` (general sounds) and ``Music``, means taken over the files of a split and, for
``overall``, over all files. Fields, of those that main has:

* ``mel``: our ``mel``; the same formula.
* ``stoi``: our ``stoi``; main adds 1e-10 in three places and clips to 0..1.
* ``pesq``, ``pesq-wb``: our ``pesq-resampled``, since main resamples to 16 kHz (one value, twice,
  as main does). Absent unless that metric was run.
* ``stft``, ``waveform``, ``f0corr``: not measured here, so absent.

A metric is absent from a split with no value of it, and from ``overall`` unless every split has
it. Files without a value are left out of a mean, where main counts the worst score.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from sqbench.atomic import write_json, write_text
from sqbench.errors import InputError
from sqbench.store import versions
from sqbench.store.aggregate import Failures, rows
from sqbench.store.reader import Store
from sqbench.store.record import Record
from sqbench.store.row import SIGNAL_METRICS, ResultRow, SetScore, column

ExportFormat = Literal["slt", "main"]

_SLT_NAMES = {"sdr": "SDR", "mel": "mel_loss", "stoi": "stoi", "pesq": "pesq"}
_SLT_AVERAGES = {"sdr": "SDR", "mel": "Mel_Loss", "stoi": "STOI", "pesq": "PESQ"}
_SLT_STAGES = {
    "sdr": "Run SDR evaluation.",
    "mel": "Run Mel Spectrogram Loss.",
    "stoi": "Run STOI.",
    "pesq": "Run PESQ.",
}
_RULE = "-" * 50

_MAIN_METRICS = {"mel": ("mel",), "stoi": ("stoi",), "pesq-resampled": ("pesq", "pesq-wb")}
_MAIN_SPLITS = {"speech": "Speech", "music": "Music", "general": "Audio"}
_MAIN_CODECS = {
    "sqcodec-750": "sqcodec_16k_0k75bps",
    "sqcodec-1k5": "sqcodec_16k_1k5bps",
    "sqcodec-3k": "sqcodec_16k_3kbps",
    "sqcodec-6k": "sqcodec_16k_6kbps",
    "sqcodec-12k": "sqcodec_16k_12kbps",
    "sqcodec-12k-24khz": "sqcodec_24k_12kbps",
    "sqcodec-24k-24khz": "sqcodec_24k_24kbps",
}


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The files written, and what a reader of them cannot see."""

    paths: tuple[Path, ...]
    notes: tuple[str, ...]


def export(
    store: Store,
    out: Path | str,
    format: ExportFormat,
    *,
    codecs: Sequence[str] = (),
    all_versions: bool = False,
    source: str | None = None,
    protocol: str | None = None,
    failures: Failures = "drop",
) -> Exported:
    """Write the results of one source in a format of Codec-SUPERB.

    Args:
        store: loaded results.
        out: the folder to write into; files of the same names are replaced.
        format: ``slt`` or ``main`` (module docstring).
        codecs: names, labels or patterns; all codecs if not given.
        all_versions: also versions of a codec that a newer one stands for.
        source: which source, where the results hold several.
        protocol: which protocol, in the same way.
        failures: of ``slt``: ``drop`` leaves incomplete metrics empty; ``mean`` writes the mean
            of what is scored.

    Raises:
        InputError: an unknown format, nothing to export, several sources, or an unwritable folder.
    """
    if format not in ("slt", "main"):
        raise InputError(f"--format {format}", expected="slt or main")
    found = [
        row
        for row in rows(store, failures=failures)
        if row.cells and source in (None, row.source) and protocol in (None, row.protocol)
    ]
    chosen, _ = versions.chosen(found, codecs, all_versions=all_versions)
    places = list(dict.fromkeys((row.source, row.protocol) for row in chosen))
    if len(places) != 1:
        raise InputError(
            "export",
            expected="results of one source under one protocol",
            found=", ".join(f"{where} ({rules})" for where, rules in places) or "none",
            remedy="Choose with --source and --protocol."
            if places
            else "Name a codec and source that `sqbench table` shows.",
        )
    folder = Path(out)
    return _slt(chosen, folder) if format == "slt" else _main(chosen, folder)


def _slt(chosen: Iterable[ResultRow], out: Path) -> Exported:
    paths, notes = [], []
    for row in chosen:
        folder = out / row.label
        logs = {f"{dataset}.log": _log(dataset, sets) for dataset, sets in _by_dataset(row)}
        remarks = list(_remarks(row))
        parts = ["Log results", _RULE]
        for name, text in logs.items():
            parts += [f"File Name: {name}", text.rstrip("\n"), _RULE]
        parts += [*_averages(row), *remarks]
        for name, text in {**logs, "results.txt": "\n".join(parts) + "\n"}.items():
            write_text(folder / name, text)
            paths.append(folder / name)
        notes += [f"{row.label}: {remark}" for remark in remarks[1:]]
    return Exported(paths=tuple(paths), notes=tuple(notes))


def _by_dataset(row: ResultRow) -> list[tuple[str, dict[str, SetScore]]]:
    found: dict[str, dict[str, SetScore]] = {}
    for cell in row.cells.values():
        for s in cell.sets:
            if s.metric in SIGNAL_METRICS.get(s.category, ()):
                found.setdefault(s.dataset, {})[s.metric] = s
    return sorted(found.items())


def _log(dataset: str, sets: Mapping[str, SetScore]) -> str:
    category = next(iter(sets.values())).category
    lines = [f"Codec SUPERB objective metric evaluation on {dataset}"]
    for stage, metric in enumerate(SIGNAL_METRICS[category], start=1):
        lines += ["", f"Stage {stage}: {_SLT_STAGES[metric]}"]
        s = sets.get(metric)
        mean = None if s is None or (s.dropped and s.scored < s.expected) else s.mean
        value = "" if mean is None else f"mean score is: {_plain(mean)}"
        lines.append(f"{_SLT_NAMES[metric]}: {value}")
    return "\n".join(lines) + "\n"


def _averages(row: ResultRow) -> Iterator[str]:
    for category in ("speech", "audio"):
        for metric in SIGNAL_METRICS[category]:
            cell = row.cells.get(column(category, metric))
            value = math.nan if cell is None or cell.value is None else cell.value
            yield f"Average {_SLT_AVERAGES[metric]} for {category} datasets: {_plain(value)}"


def _remarks(row: ResultRow) -> Iterator[str]:
    yield f"Codec: {row.label}, weights {row.weights}; measured bitrate (bps): {row.measured_bps}"
    for cell in row.cells.values():
        for s in cell.sets:
            if s.scored < s.expected:
                yield f"Coverage: {s.dataset} {s.metric}: {s.scored} of {s.expected} files scored"
            if s.identical:
                yield f"Identical, outside the mean: {s.dataset} {s.metric}: {s.identical} files"
    dropped = {s.dataset: s.dropped for c in row.cells.values() for s in c.sets if s.dropped}
    for dataset, why in sorted(dropped.items()):
        yield f"Left out of the averages: {dataset} ({why})"


def _plain(value: float) -> str:
    """Every digit and no exponent, at which the scripts' pattern would stop reading."""
    return np.format_float_positional(value, trim="0")


def _main(chosen: list[ResultRow], out: Path) -> Exported:
    content, notes = {}, []
    for row in chosen:
        name = _main_name(row)
        content[name], lacking = _main_means(row.records)
        notes += [f"{name}: {remark}" for remark in lacking]
        if "pesq-resampled" not in row.versions:
            notes.append(f"{name}: pesq is absent: run with --metrics pesq-resampled to have it")
        notes += [
            f"{name}: {metric} mean leaves out {count} files ({status}: {reason})"
            for (metric, status, reason), count in row.reasons.items()
            if metric in _MAIN_METRICS
        ]
    path = out / f"{chosen[0].source}_evaluation_results.json"
    write_json(path, content)
    return Exported(paths=(path,), notes=tuple(notes))


def _main_name(row: ResultRow) -> str:
    """Main's own name, if these are the weights that main's wrapper loads; else the label."""
    official = row.weights.partition(" ")[0] == "official"
    return _MAIN_CODECS.get(row.codec, row.label) if official else row.label


def _main_means(
    records: Iterable[Record],
) -> tuple[dict[str, dict[str, float]], list[str]]:
    values: dict[str, dict[str, list[float]]] = {}
    for record in records:
        split = _MAIN_SPLITS.get(record["domain"], record["domain"])
        of_split = values.setdefault(split, {})
        if record["metric"] in _MAIN_METRICS and record["value"] is not None:
            of_split.setdefault(record["metric"], []).append(record["value"])
    means: dict[str, dict[str, float]] = {}
    lacking = []
    for split, metrics in values.items():
        means[split] = _named({metric: sorted(found) for metric, found in metrics.items()})
    everywhere = {m for m in _MAIN_METRICS if values and all(m in v for v in values.values())}
    pooled = {m: sorted(x for v in values.values() for x in v[m]) for m in everywhere}
    means["overall"] = _named(pooled)
    for metric in _MAIN_METRICS:
        splits = [split for split, metrics in values.items() if metric in metrics]
        if splits and metric not in everywhere:
            lacking.append(f"overall has no {metric}: measured on {', '.join(splits)} only")
    return means, lacking


def _named(values: Mapping[str, list[float]]) -> dict[str, float]:
    return {
        name: float(np.mean(values[metric]))
        for metric, names in _MAIN_METRICS.items()
        if metric in values
        for name in names
    }
