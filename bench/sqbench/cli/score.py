"""``sqbench score``: existing audio against its references, without a codec."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench.cli.lists import Joined
from sqbench.cli.run import add_protocol, add_workers, names

if TYPE_CHECKING:
    from sqbench.scoring import Score


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "score",
        help="score a folder of audio against another",
        description="Score every file of a folder against its namesake (same relative path, "
        "extensions aside) in another.",
    )
    parse.add_argument("--ref", type=Path, required=True, metavar="DIR", help="references")
    parse.add_argument("--est", type=Path, required=True, metavar="DIR", help="estimates")
    parse.add_argument(
        "--metrics", action=Joined, default="sdr,mel,stoi,pesq", help="default: sdr,mel,stoi,pesq"
    )
    add_protocol(parse)
    add_workers(parse)
    parse.add_argument("--format", choices=("table", "csv", "jsonl"), default="table")
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Score; 0 all scored, 2 some missing."""
    from sqbench.metrics import catalogue
    from sqbench.scoring import score_folders

    wanted = names(options.metrics)
    columns = [metric.name for metric in catalogue.resolve_all(wanted)]
    scores = score_folders(
        options.ref, options.est, wanted, protocol=options.protocol, workers=options.workers
    )
    missing = 0
    notes: dict[str, tuple[str, ...]] = {}
    collected: list[Score] = []
    for score in scores:
        missing += score.measurement.status not in ("ok", "identical")
        if score.notes:
            notes[score.id] = score.notes
        if options.format == "jsonl":
            print(_line(score), flush=True)
        else:
            collected.append(score)
    if options.format == "csv":
        _csv(collected, columns)
    elif options.format == "table":
        _table(collected, columns)
    _notes(notes, options.ref, options.est)
    if missing:
        print(f"{missing} scores are missing; see the reasons above", file=sys.stderr)
    return 2 if missing else 0


def _notes(notes: Mapping[str, Sequence[str]], *folders: Path) -> None:
    """What is odd, on standard error: it is no score."""
    from sqbench.data.files import listed
    from sqbench.data.pairing import not_read
    from sqbench.scoring import LENGTHS, LENGTHS_S

    lengths = {
        name: note for name, some in notes.items() for note in some if note.startswith(LENGTHS)
    }
    if lengths:
        name, note = next(iter(lengths.items()))
        print(
            f"{len(lengths)} pairs differ by more than {LENGTHS_S:g} s and are scored over their "
            f"shorter part; {name}: {note}",
            file=sys.stderr,
        )
    for name, some in notes.items():
        for note in some:
            if not note.startswith(LENGTHS):
                print(f"{name}: note: {note}", file=sys.stderr)
    for folder in folders:
        if names_left := not_read(folder):
            print(f"{folder}: not read: {listed(names_left)}", file=sys.stderr)


def _line(score: Score) -> str:
    measurement = score.measurement
    value = measurement.value if measurement.status == "ok" else None
    return json.dumps(
        {"id": score.id, "metric": score.metric, "value": value, "reason": measurement.reason},
        ensure_ascii=False,
    )


def _csv(scores: Sequence[Score], columns: Sequence[str]) -> None:
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["id", *columns, "reason"])
    for name, row in _rows(scores).items():
        values = [
            repr(row[c].measurement.value) if row[c].measurement.status == "ok" else ""
            for c in columns
        ]
        writer.writerow([name, *values, _reasons(row)])


def _table(scores: Sequence[Score], columns: Sequence[str]) -> None:
    from rich.table import Table

    from sqbench.report.console import console

    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    for column in columns:
        table.add_column(column, justify="right")
    table.add_column("reason", overflow="fold")
    for name, row in _rows(scores).items():
        cells = []
        for column in columns:
            m = row[column].measurement
            cells.append(f"{m.value:.4f}" if m.status == "ok" else m.status)
        table.add_row(name, *cells, _reasons(row))
    means = []
    for column in columns:
        values = [
            s.measurement.value
            for s in scores
            if s.metric == column and s.measurement.status == "ok"
        ]
        total = sum(s.metric == column for s in scores)
        same = sum(s.metric == column and s.measurement.status == "identical" for s in scores)
        mean = f"{sum(values) / len(values):.4f}" if values else "identical" if same else "none"
        means.append(f"{mean} ({len(values) + (0 if values else same)} of {total})")
    table.add_section()
    table.add_row("mean (scored of expected)", *means, "")
    console().print(table)


def _rows(scores: Sequence[Score]) -> dict[str, dict[str, Score]]:
    rows: dict[str, dict[str, Score]] = {}
    for score in scores:
        rows.setdefault(score.id, {})[score.metric] = score
    return rows


def _reasons(row: dict[str, Score]) -> str:
    reasons: dict[str, list[str]] = {}
    for metric, score in row.items():
        if score.measurement.reason:
            reasons.setdefault(score.measurement.reason, []).append(metric)
    if len(reasons) == 1 and len(next(iter(reasons.values()))) == len(row):
        return next(iter(reasons))
    return "; ".join(f"{', '.join(metrics)}: {reason}" for reason, metrics in reasons.items())
