"""The agreement of metrics with listeners as a table, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sqbench.agreement.ratings import SPLITS, Ratings
from sqbench.agreement.run import Scores
from sqbench.agreement.statistics import MARGIN, Agreement, AgreementEstimate, agreement
from sqbench.errors import InputError
from sqbench.metrics import catalogue
from sqbench.report.grid import NOTHING, Grid, GridCell, Head
from sqbench.statistics import N_BOOT

ALL = "all"
CSV_HEADER = (
    "metric", "n_pairs", "pair_accuracy", "pair_accuracy_low", "pair_accuracy_high",
    "spearman", "spearman_low", "spearman_high", "kendall", "kendall_low", "kendall_high",
    "condition_spearman", "condition_spearman_low", "condition_spearman_high",
    "condition_kendall", "condition_kendall_low", "condition_kendall_high",
    "n_stimuli", "n_items", "n_conditions", "undefined", "part", "set",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Agreements:
    """What was found on a table of ratings: by metric and part, the best pair accuracy first."""

    ratings: Ratings
    rows: tuple[Agreement, ...]
    margin: float
    n_boot: int
    seed: int
    reasons: Mapping[str, Mapping[str, int]]

    def of(self, part: str) -> list[Agreement]:
        """The rows of a part."""
        return [row for row in self.rows if row.part == part]

    @property
    def parts(self) -> list[str]:
        """In order, ``all`` first."""
        return list(dict.fromkeys(row.part for row in self.rows))

    def grids(self) -> list[Grid]:
        """A table for people."""
        stimuli = self.ratings.stimuli
        items = len({each.item for each in stimuli})
        conditions = len({each.condition for each in stimuli})
        return [
            Grid(
                title=f"{self.ratings.name}: agreement with listeners",
                heads=[
                    Head(title="Metric", number=False),
                    *(
                        Head(title="Pairs", below="right")
                        if part == ALL
                        else Head(title="Pairs", below=part)
                        for part in self.parts
                    ),
                    Head(title="Spearman", below="stimuli"),
                    Head(title="Kendall", below="stimuli"),
                    Head(title="Spearman", below="conditions"),
                    Head(title="Kendall", below="conditions"),
                    Head(title="n"),
                ],
                groups=[[self._row(row) for row in self.of(ALL)]],
                notes=[
                    f"{len(stimuli)} stimuli: {items} items, {conditions} conditions; mean of "
                    f"{min(s.ratings for s in stimuli)} to {max(s.ratings for s in stimuli)} "
                    "listeners each.",
                    f"Pairs right: of pairs of one item that listeners put at least "
                    f"{self.margin:g} points apart ({self._pair_counts()}), the share that the "
                    "metric puts the same way round; 0.5 is chance.",
                    f"[low, high]: 95 % bootstrap interval, {self.n_boot} resamples of items, "
                    f"seed {self.seed}.",
                    *(f"{note}." for note in self.ratings.notes),
                    *self._undefined(),
                ],
            )
        ]

    def _pair_counts(self) -> str:
        counts = []
        for part in self.parts:
            n = max(row.pairs for row in self.of(part))
            counts.append(f"n = {n}" if part == ALL else f"{part}: {n}")
        return ", ".join(counts)

    def _undefined(self) -> list[str]:
        notes = []
        for metric, reasons in self.reasons.items():
            if reasons:
                parts = "; ".join(f"{reason} ({n})" for reason, n in list(reasons.items())[:3])
                notes.append(f"{metric}: no value of {sum(reasons.values())} stimuli: {parts}.")
        return notes

    def _row(self, row: Agreement) -> list[GridCell]:
        by_part = {each.part: each for each in self.rows if each.metric == row.metric}
        return [
            GridCell(text=row.metric),
            *(_cell(by_part[part].accuracy, interval=part == ALL) for part in self.parts),
            _cell(row.spearman),
            _cell(row.kendall, interval=False),
            _cell(row.condition_spearman),
            _cell(row.condition_kendall, interval=False),
            GridCell(text=str(row.stimuli)),
        ]

    def to_csv(self) -> str:
        """`CSV_HEADER`, all digits; no value is an empty field."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(CSV_HEADER)
        for row in self.rows:
            numbers: list[float | None] = []
            for estimate in (
                row.accuracy, row.spearman, row.kendall,
                row.condition_spearman, row.condition_kendall,
            ):  # fmt: skip
                numbers += [estimate.value, estimate.interval.low, estimate.interval.high]
            writer.writerow(
                [
                    row.metric,
                    row.pairs,
                    *("" if number is None else repr(number) for number in numbers),
                    row.stimuli,
                    row.items,
                    row.conditions,
                    row.undefined,
                    row.part,
                    self.ratings.name,
                ]
            )
        return stream.getvalue()

    def to_json(self) -> str:
        """Everything."""
        content = {
            "set": self.ratings.name,
            "margin": self.margin,
            "resamples": self.n_boot,
            "seed": self.seed,
            "notes": list(self.ratings.notes),
            "reasons": {metric: dict(each) for metric, each in self.reasons.items()},
            "metrics": [asdict(row) for row in self.rows],
        }
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def build(
    ratings: Ratings,
    scores: Scores,
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    margin: float = MARGIN,
    n_boot: int = N_BOOT,
    seed: int = 0,
) -> Agreements:
    """Compare all metrics with the ratings, on all stimuli and on parts of them.

    Args:
        groups: parts by name: conditions that belong to each. Beside them the table's own columns
            (`ratings.SPLITS`) split, one part a value, where they have several.

    Raises:
        InputError: a group names a condition that the table does not have.
    """
    parts = _parts(ratings, groups or {})
    rows = []
    for metric, values in scores.values.items():
        higher = catalogue.get(metric).direction == "higher"
        for part, indices in parts.items():
            some = [ratings.stimuli[i] for i in indices]
            rows.append(
                agreement(
                    metric,
                    part,
                    [each.item for each in some],
                    [each.condition for each in some],
                    [each.rating for each in some],
                    [values[i] for i in indices],
                    higher_is_better=higher,
                    margin=margin,
                    n_boot=n_boot,
                    seed=seed,
                )
            )
    first = {row.metric: row.accuracy.value for row in rows if row.part == ALL}
    rows.sort(key=lambda row: -(first[row.metric] or 0.0))  # stable: parts stay in order
    return Agreements(
        ratings=ratings, rows=tuple(rows), margin=margin, n_boot=n_boot, seed=seed,
        reasons=scores.reasons,
    )  # fmt: skip


def _parts(ratings: Ratings, groups: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    stimuli = ratings.stimuli
    known = {each.condition for each in stimuli}
    parts = {ALL: list(range(len(stimuli)))}
    for name, conditions in groups.items():
        if strangers := [c for c in conditions if c not in known]:
            raise InputError(
                f"--group {name}",
                expected=f"conditions of the table: {', '.join(sorted(known))}",
                found=", ".join(strangers),
            )
        parts[name] = [i for i, each in enumerate(stimuli) if each.condition in conditions]
    for column in SPLITS:
        values = dict.fromkeys(each.labels.get(column, "") for each in stimuli)
        if len(values) > 1:
            for value in filter(None, values):
                parts[f"{column} {value}"] = [
                    i for i, each in enumerate(stimuli) if each.labels.get(column) == value
                ]
    return parts


def _cell(estimate: AgreementEstimate, *, interval: bool = True) -> GridCell:
    if estimate.value is None:
        return GridCell(text=NOTHING)
    low, high = estimate.interval.low, estimate.interval.high
    known = interval and low is not None and high is not None
    text = f"{estimate.value:.2f}"
    return GridCell(text=text, detail=f"[{low:.2f}, {high:.2f}]" if known else "")
