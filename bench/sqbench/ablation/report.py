"""Ablations as the paper's Table 3 prints them: a baseline, and the others' differences to it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqbench.errors import InputError
from sqbench.published import rows as paper
from sqbench.report import notes
from sqbench.report.columns import Column, head
from sqbench.report.grid import NOTHING, Grid, GridCell, Head
from sqbench.store import reader as stores
from sqbench.store.aggregate import Failures
from sqbench.store.aggregate import rows as aggregate_rows
from sqbench.store.row import ResultRow
from sqcodec.config import SQCodecConfig
from sqcodec.train.ablation import BASELINE, EXTRA, RESULTS, ROWS, read_summary
from sqcodec.train.recipes.recipe import load_recipe

_FIELD = "receptive_field_s"

COLUMNS: tuple[Column, ...] = (
    Column(key=_FIELD, title="Receptive field (s)", digits=3),
    Column(key="sdr", title="SDR", unit="dB", digits=3, direction="higher", scores=True),
    Column(key="pesq", title="PESQ", digits=3, direction="higher", scores=True),
    Column(key="wer", title="WER", unit="%", digits=2, direction="lower", scores=True),
    Column(key="eer", title="EER", unit="%", digits=2, direction="lower", scores=True),
    Column(key="audio_sdr", title="Audio SDR", digits=3, direction="higher", scores=True),
    Column(key="aec_acc", title="AEC", unit="%", digits=2, direction="higher", scores=True),
)
"""Those of Table 3."""

_SHORT = 0.1
"""A run that heard less than this share of the published recipe's audio is called short."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row of the table.

    Attributes:
        variant: the paper's wording.
        values: by column; the baseline's own, the others' differences to it, except for the
            receptive field in seconds. ``None`` where there is none.
        absolute: by column, of ours: the values that the differences are of.
        baseline: whether it is the one that the others are compared with.
        published: the paper's or ours.
        incomplete: columns in which some utterances have no value.
    """

    variant: str
    values: Mapping[str, float | None]
    absolute: Mapping[str, float | None]
    baseline: bool
    published: bool
    incomplete: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """All rows, ours and then the paper's, and what must be said of them."""

    source: str
    protocol: str
    lines: tuple[Line, ...]
    notes: tuple[str, ...]

    def grids(self) -> list[Grid]:
        """The table for people."""

        def cells(line: Line) -> list[GridCell]:
            found = [GridCell(text=line.variant)]
            for column in COLUMNS:
                value = line.values[column.key]
                sign = "" if line.baseline or not column.scores else "+"
                mark = "†" if column.key in line.incomplete else ""
                text = NOTHING if value is None else f"{value:{sign}.{column.digits}f}"
                found.append(GridCell(text=text, mark=mark))
            return found

        groups = [
            [line for line in self.lines if line.published == which] for which in (False, True)
        ]
        return [
            Grid(
                title=f"Ablation: {self.source} ({self.protocol})",
                heads=[Head(title="Variant", number=False), *map(head, COLUMNS)],
                groups=[[cells(line) for line in group] for group in groups if group],
                notes=self.notes,
            )
        ]

    def to_csv(self) -> str:
        """The columns of the paper's Table 3 in full precision; an empty field is no value."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["variant", *(column.key for column in COLUMNS)])
        for line in self.lines:
            values = (line.values[column.key] for column in COLUMNS)
            writer.writerow([line.variant, *("" if v is None else repr(float(v)) for v in values)])
        return stream.getvalue()

    def to_json(self) -> str:
        """``source``, ``protocol``, ``notes`` and ``rows``, ours with their absolute values too."""
        rows = [
            {
                "variant": line.variant,
                "baseline": line.baseline,
                "published": line.published,
                **line.values,
                "absolute": dict(line.absolute) or None,
                "incomplete": sorted(line.incomplete),
            }
            for line in self.lines
        ]
        content = {"source": self.source, "protocol": self.protocol, "notes": self.notes}
        return json.dumps({**content, "rows": rows}, indent=1, ensure_ascii=False) + "\n"


def build(
    folder: Path,
    *,
    failures: Failures = "mean",
    published: bool = False,
    source: str | None = None,
    protocol: str | None = None,
) -> Ablation:
    """The table of a folder that ``python -m sqcodec.train.ablation`` filled.

    Args:
        folder: its ``--out``.
        failures: what a missing value does (`sqbench.store.aggregate.rows`).
        published: add the paper's own rows.
        source: which source, where the rows were evaluated on several.
        protocol: which protocol, in the same way.

    Raises:
        InputError: no finished row, no baseline among them, or several sources.
    """
    trained = read_summary(folder)
    if BASELINE not in trained:
        raise InputError(
            f"--ablation {folder}",
            expected=f"a finished {BASELINE} row, which the others are compared with",
            found=", ".join(trained) or "no finished row",
            remedy=f"Run `python -m sqcodec.train.ablation --data PLACE --out {folder}` first.",
        )
    rows = _rows(folder, trained, failures, source, protocol)
    base = _values(rows[BASELINE], trained[BASELINE])
    names = [name for name in (*ROWS, *EXTRA) if name in rows]
    lines = [_line(name, rows[name], trained[name], base) for name in names]
    return Ablation(
        source=rows[BASELINE].source,
        protocol=rows[BASELINE].protocol,
        lines=(*lines, *(_published() if published else ())),
        notes=tuple(_notes([rows[n] for n in names], trained, lines, failures, published)),
    )


def _rows(
    folder: Path,
    trained: Mapping[str, Mapping[str, Any]],
    failures: Failures,
    source: str | None,
    protocol: str | None,
) -> dict[str, ResultRow]:
    """The results of the weights that each row has now, all on one source."""
    found = [
        row
        for row in aggregate_rows(stores.load([folder / RESULTS]), failures=failures)
        if row.codec in trained
        and row.description["weights"]["sha256"] == trained[row.codec]["weights_sha256"]
        and source in (None, row.source)
        and protocol in (None, row.protocol)
    ]
    places = list(dict.fromkeys((row.source, row.protocol) for row in found))
    if len(places) != 1:
        raise InputError(
            f"--ablation {folder}",
            expected="results on one source under one protocol",
            found=", ".join(f"{where} ({rules})" for where, rules in places) or "none",
            remedy="Choose with --source and --protocol." if places else "Evaluate the rows again.",
        )
    rows = {row.codec: row for row in found}
    if BASELINE not in rows:
        raise InputError(
            f"--ablation {folder}", expected=f"results of {BASELINE}", found=", ".join(rows)
        )
    return rows


def _values(row: ResultRow, trained: Mapping[str, Any]) -> dict[str, float | None]:
    config = SQCodecConfig.from_dict(dict(trained["config"]))
    cells = {key: cell.value for key, cell in row.cells.items()}
    field = config.pad_multiple / config.sample_rate
    return {c.key: cells.get(c.key) if c.scores else field for c in COLUMNS}


def _line(
    name: str, row: ResultRow, trained: Mapping[str, Any], base: Mapping[str, float | None]
) -> Line:
    absolute = _values(row, trained)
    values = dict(absolute)
    if name != BASELINE:
        for column in COLUMNS:
            ours, theirs = absolute[column.key], base[column.key]
            if column.scores:
                values[column.key] = None if ours is None or theirs is None else ours - theirs
    wording = {**ROWS, **EXTRA}[name]
    return Line(
        variant=f"{wording} ({trained['config']['name']})" if name == BASELINE else wording,
        values=values,
        absolute=absolute,
        baseline=name == BASELINE,
        published=False,
        incomplete=frozenset(key for key, cell in row.cells.items() if not cell.complete),
    )


def _published() -> Iterator[Line]:
    for index, row in enumerate(paper.table3()):
        values = {column.key: getattr(row, column.key) for column in COLUMNS}
        yield Line(
            variant=f"{row.variant} (paper)",
            values=values,
            absolute={},
            baseline=index == 0,
            published=True,
        )


def _notes(
    rows: Sequence[ResultRow],
    trained: Mapping[str, Mapping[str, Any]],
    lines: Sequence[Line],
    failures: Failures,
    published: bool,
) -> Iterator[str]:
    yield "First row: values. Others: differences to it; the receptive field is each row's own."
    absent = [c.title for c in COLUMNS if all(line.values[c.key] is None for line in lines)]
    if absent:
        yield f"{', '.join(absent)}: not measured, the results hold no such metric."
    yield from _training({row.codec: trained[row.codec] for row in rows})
    if published:
        yield (
            f"(paper): published figures ({paper.CITATION}, Table 3), on the paper's own training "
            "and evaluation data."
        )
    yield from notes.of_section(
        rows, controls=(), failures=failures, intervals=None, n_boot=0, seed=0, published=False
    )


def _training(trained: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """How long each row was trained, and on what."""
    groups: dict[str, list[str]] = {}
    for name, row in trained.items():
        perceptual = row["perceptual"]
        whisper = perceptual if isinstance(perceptual, str) else perceptual["source"]
        text = (
            f"{row['steps']} steps, {row['audio_hours_heard']:.2f} h of audio heard of "
            f"{row['data_hours']:.2f} h, seed {row['recipe']['seed']}, perceptual loss {whisper}"
        )
        groups.setdefault(text, []).append(name)
    for text, names in groups.items():
        who = "Every row" if len(groups) == 1 else ", ".join(names)
        yield f"{who}: {text}."
    minutes = ", ".join(f"{n} {row['training_seconds'] / 60:.1f}" for n, row in trained.items())
    steps = ", ".join(f"{n} {row['step']}" for n, row in trained.items())
    yield f"Minutes of training: {minutes}. Evaluated is the best step: {steps}."
    least = min(row["audio_hours_heard"] for row in trained.values())
    whole = _published_hours()
    if least < _SHORT * whole:
        yield (
            f"So short runs (the published recipe hears {whole:.0f} h) show that the path works, "
            "not what the paper found."
        )


def _published_hours() -> float:
    """Audio that a run of the published recipe hears."""
    from sqcodec.config import load_config

    config = load_config("6kbps")
    recipe = load_recipe(["published"], config.name)
    crops = recipe.max_steps * recipe.batch_size * recipe.accumulate
    return crops * recipe.crop_length(config) / config.sample_rate / 3600
