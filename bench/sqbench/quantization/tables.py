"""Trials as a table: for a terminal, Markdown, LaTeX, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sqbench.quantization.cell import Cell
from sqbench.quantization.experiment import QuantizationTrial
from sqbench.report.grid import Grid, GridCell, Head
from sqbench.report.render import render as render_report

Trials = Mapping[str, Sequence[QuantizationTrial]]
"""Cell identity to its trials."""

NOTHING = "\u2013"
_COLUMNS = (
    ("snr_db", "SNR", "(dB)", ".2f"),
    ("gap_db", "Gap to", "bound", ".2f"),
    ("growth", "Latent", "growth", ".3g"),
    ("train_test_gap_db", "Train \u2212", "hard", ".2f"),
    ("entropy_bits", "Effective", "bits", ".2f"),
    ("usage", "Codes", "used", ".0%"),
    ("relative_noise", "Noise", "(rel.)", ".2f"),
    ("churn", "Index", "churn", ".0%"),
    ("gradient_variance", "Gradient", "variance", ".2g"),
)
_NOTES = (
    "Medians over seeds, [lowest, highest]; SNR in bold is the best of its group, with the hard "
    "quantizer on fresh data.",
    "Gap to bound: Shannon's for gaussian and uniform sources, k-means of its own points for an "
    "alphabet coded below its bits; none above.",
    "Growth: of the latents' deviation over training. Churn: codes of fixed frames that changed in "
    "the last 100 steps.",
)


def render(
    cells: Sequence[Cell], trials: Trials, format: str, *, width: int | None = None,
    color: bool = False,
) -> str:  # fmt: skip
    """The table as a text ending in a newline; ``format`` is one of ``report.render.FORMATS``.

    Args:
        width: of the terminal: columns that do not fit are left out, the last first, and named.
    """
    if format != "rich" or width is None:
        return render_report(_Printed(cells, trials), format, color=color)
    for shown in range(len(_COLUMNS), 0, -1):
        form = _Printed(cells, trials, shown)
        plain = render_report(form, width=width)
        if shown == 1 or max(map(len, plain.splitlines())) <= width:
            break
    return render_report(form, width=width, color=color) if color else plain


class _Printed:
    """A `sqbench.report.render.Printable`, with so many of the columns of numbers."""

    def __init__(self, cells: Sequence[Cell], trials: Trials, shown: int | None = None) -> None:
        self.cells, self.trials = cells, trials
        self.columns = _COLUMNS[:shown]

    def grids(self) -> list[Grid]:
        return [grid(self.cells, self.trials, self.columns)]

    def to_csv(self) -> str:
        return _csv(self.cells, self.trials)

    def to_json(self) -> str:
        return _json(self.cells, self.trials)


def grid(
    cells: Sequence[Cell], trials: Trials, columns: Sequence[tuple[str, str, str, str]] = _COLUMNS
) -> Grid:
    """Rows in groups of one source, quantizer and rate."""
    groups: dict[tuple[object, ...], list[Cell]] = {}
    for cell in cells:
        kind = "vq" if cell.own_quantizer else cell.quantizer.partition("-")[0]
        groups.setdefault(
            (cell.source_name, kind, cell.rate_bits, cell.steps, cell.restarts), []
        ).append(cell)
    heads = [Head(title=name, number=False) for name in ("Source", "Quantizer")]
    heads += [Head(title="Bits"), Head(title="Estimator", number=False)]
    heads += [Head(title=title, below=below) for _, title, below, _ in columns]
    seeds = max((len(found) for found in trials.values()), default=0)
    notes = [*_NOTES, *_losses(cells, trials)]
    if len(columns) < len(_COLUMNS):
        hidden = [f"{title} {below}".strip().lower() for _, title, below, _ in _COLUMNS]
        notes.append(f"Not shown, for want of width: {', '.join(hidden[len(columns) :])}.")
    return Grid(
        title=f"quantize: {len(cells)} cells x {seeds} seeds",
        heads=heads,
        groups=[_rows(group, trials, columns) for group in groups.values()],
        notes=notes,
        whole=True,
    )


def _rows(
    cells: Sequence[Cell], trials: Trials, columns: Sequence[tuple[str, str, str, str]]
) -> list[list[GridCell]]:
    medians = {cell.identity: median(trials.get(cell.identity, ()), "snr_db") for cell in cells}
    there = [value for value in medians.values() if value is not None]
    best = max(there) if len(there) > 1 else math.nan
    rows = []
    for cell in cells:
        found = trials.get(cell.identity, ())
        stages = f" in {cell.stages}" if cell.stages > 1 else ""
        levels = f" {cell.levels} levels" if cell.levels else ""
        row = [GridCell(text=cell.source_name), GridCell(text=f"{cell.quantizer}{levels}{stages}")]
        row.append(GridCell(text=f"{cell.rate_bits:.4g}"))
        longer = f" ({cell.steps} steps)" if cell.steps != Cell.steps else ""
        alone = "" if cell.restarts else " (no restarts)"
        row.append(GridCell(text=f"{cell.method}{longer}{alone}"))
        for metric, _, _, form in columns:
            value = median(found, metric)
            numbers = values(found, metric)
            mark = "\u2020" if len(numbers) < len(found) and metric == "snr_db" else ""
            detail = ""
            if metric == "snr_db" and len(numbers) > 1:
                detail = f"[{min(numbers):.2f}, {max(numbers):.2f}]"
            row.append(
                GridCell(
                    text=NOTHING if value is None else format(value, form),
                    mark=mark,
                    detail=detail,
                    bold=metric == "snr_db" and value == best,
                )
            )
        rows.append(row)
    return rows


def values(found: Sequence[QuantizationTrial], metric: str) -> list[float]:
    """The numbers that there are."""
    return [v for trial in found if (v := trial.values.get(metric)) is not None]


def median(found: Sequence[QuantizationTrial], metric: str) -> float | None:
    """Over the seeds that have a number."""
    numbers = values(found, metric)
    return statistics.median(numbers) if numbers else None


def _losses(cells: Sequence[Cell], trials: Trials) -> list[str]:
    lines = []
    for cell in cells:
        found = trials.get(cell.identity, ())
        if not found:
            lines.append(f"\u2020 {cell.label}: no result")
        lines += [
            f"\u2020 {cell.label}, seed {trial.seed}: {trial.reasons.get('snr_db', 'no result')}"
            for trial in found
            if trial.values.get("snr_db") is None
        ]
    return lines


def _csv(cells: Sequence[Cell], trials: Trials) -> str:
    metrics = _metrics(trials)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["cell", "source", "quantizer", "bits", "estimator", "seed", *metrics])
    for cell in cells:
        for trial in trials.get(cell.identity, ()):
            numbers = [trial.values.get(metric) for metric in metrics]
            writer.writerow(
                [cell.identity, cell.source_name, cell.quantizer, f"{cell.rate_bits:g}",
                 cell.method, trial.seed, *("" if n is None else repr(n) for n in numbers)]
            )  # fmt: skip
    return stream.getvalue()


def _json(cells: Sequence[Cell], trials: Trials) -> str:
    content = [
        {
            **asdict(cell),
            "custom": cell.custom and f"{cell.custom.path}:{cell.custom.name}",
            "cell": cell.identity,
            "label": cell.label,
            "rate_bits": cell.rate_bits,
            "trials": [asdict(trial) for trial in trials.get(cell.identity, ())],
        }
        for cell in cells
    ]
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _metrics(trials: Trials) -> list[str]:
    names = {name: None for found in trials.values() for t in found for name in t.values}
    plain = [name for name in names if "@" not in name]
    steps = sorted((n for n in names if "@" in n), key=lambda n: int(n.rpartition("@")[2]))
    return [*plain, *steps]
