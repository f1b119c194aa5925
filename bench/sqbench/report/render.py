"""Reports as text: for a terminal, Markdown, LaTeX, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from sqbench.errors import InputError
from sqbench.report import grid
from sqbench.report.columns import CSV_HEADER, Column, head
from sqbench.report.compare import ComparedMetric, Comparison
from sqbench.report.grid import NOTHING, Grid, GridCell, Head
from sqbench.report.json_form import comparison_json, table_json
from sqbench.report.table import Entry, Section, Table, TableRow

if TYPE_CHECKING:
    from rich.console import RenderableType


@runtime_checkable
class Printable(Protocol):
    """A report that knows its own forms; what a feature has printed."""

    def grids(self) -> list[Grid]: ...
    def to_csv(self) -> str: ...
    def to_json(self) -> str: ...


Report = Table | Comparison | Printable

FORMATS = ("rich", "markdown", "latex", "csv", "json")

NOTES_WIDTH = 80
"""Columns of notes under a table that is narrower, where there is no terminal."""

COMPARISON_CSV = (
    "metric",
    "a",
    "b",
    "value_a",
    "value_b",
    "difference",
    "low",
    "high",
    "wins",
    "losses",
    "ties",
    "win_rate",
    "n",
)


def render(
    report: Report,
    format: str = "rich",
    *,
    width: int | None = None,
    color: bool = False,
    caption: str = "",
    label: str = "",
) -> str:
    """A report as text, ending in a newline.

    Args:
        report: what `table.build` or `compare.build` gave, or another `Printable`.
        format: ``rich`` (a terminal's table), ``markdown``, ``latex``, ``csv`` or ``json``.
        width: columns of the terminal, for ``rich``; as wide as the table needs if not given.
        color: keep bold and colour as escape codes, for ``rich``.
        caption: of the ``table`` around the ``tabular``, for ``latex``.
        label: the same; of several tables the second has ``-2`` after it, and so on.

    Raises:
        InputError: an unknown format, CSV of several sources or protocols, or a caption or label
            of another form than ``latex``.
    """
    if (caption or label) and format != "latex":
        raise InputError("--caption, --label", expected="--format latex", found=format)
    if format == "rich":
        return _rich(grids(report), width, color)
    forms: dict[str, Callable[[], str]] = {
        "markdown": lambda: "\n".join(map(grid.to_markdown, grids(report))),
        "latex": lambda: _latex(grids(report), caption, label),
        "csv": lambda: _csv(report),
        "json": lambda: _json(report),
    }
    if format not in forms:
        raise InputError(f"--format {format}", expected=f"one of {', '.join(FORMATS)}")
    return forms[format]()


def show(report: Report, format: str = "rich", *, caption: str = "", label: str = "") -> None:
    """Print to standard output: fitted to the terminal and in bold if it is one."""
    tty = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if tty else None
    text = render(report, format, width=width, color=tty, caption=caption, label=label)
    sys.stdout.write(text)


def show_grid(each: Grid) -> None:
    """Print one grid to standard output, fitted to the terminal if it is one."""
    tty = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if tty else None
    sys.stdout.write(_rich([each], width, tty))


def _latex(grids: Sequence[Grid], caption: str, label: str) -> str:
    labels = [f"{label}-{i + 1}" if label and i else label for i in range(len(grids))]
    forms = (grid.to_latex(each, caption, of) for each, of in zip(grids, labels, strict=True))
    return "\n".join(forms)


def renderables(report: Report, *, width: int | None = None) -> list[RenderableType]:
    """The pieces of the ``rich`` form, for a console of one's own."""
    return _pieces(grids(report), width)


def _pieces(grids: Sequence[Grid], width: int | None) -> list[RenderableType]:
    from rich.text import Text

    pieces: list[RenderableType] = []
    for each in grids:
        tables, left_out = _fitting(each, width)
        for table in tables:
            pieces += [table, Text()]
        notes = [*each.notes, *([left_out] if left_out else [])]
        pieces += [Text(note, style="dim") for note in notes]
        pieces.append(Text())
    return pieces[:-1]


def _rich(grids: Sequence[Grid], width: int | None, color: bool) -> str:
    from rich.console import Console

    stream = io.StringIO()
    pieces = _pieces(grids, width)
    needed = max(_natural(piece) for piece in pieces if not hasattr(piece, "plain"))
    console = Console(
        file=stream,
        width=max(needed, width or NOTES_WIDTH),
        force_terminal=color,
        no_color=not color,
        highlight=False,
        emoji=False,
        markup=False,
        legacy_windows=False,
    )
    for piece in pieces:
        console.print(piece)
    lines = stream.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _fitting(each: Grid, width: int | None) -> tuple[list[RenderableType], str]:
    """The widest form of the table that fits: whole, without what is spare, or in blocks.

    Returns:
        One table or several, and what to say of columns that are left out.
    """
    if width is None:
        return [grid.to_rich(each)], ""
    if whole := _fit(each, width):
        return [whole], ""
    if each.whole:
        return [grid.to_rich(each, level=grid.LEVELS[-1])], ""
    kept = [i for i, head in enumerate(each.heads) if not head.spare]
    spare = [head.title for head in each.heads if head.spare]
    left_out = ""
    if spare:
        left_out = f"{', '.join(spare)}: left out, the terminal is narrow (`| cat` shows all)."
    fewer = replace(grid.of_columns(each, kept), title=each.title)
    if narrow := _fit(fewer, width):
        return [narrow], left_out
    blocks = _blocks(fewer, width)
    tables = []
    for number, columns in enumerate(blocks):
        part = grid.of_columns(fewer, columns)
        part = replace(part, title=each.title) if number == 0 else part
        tables.append(_fit(part, width) or grid.to_rich(part, level=grid.LEVELS[-1]))
    return tables, left_out


def _fit(each: Grid, width: int) -> RenderableType | None:
    forms = (grid.to_rich(each, level=level) for level in grid.LEVELS)
    return next((form for form in forms if _natural(form) <= width), None)


def _blocks(each: Grid, width: int) -> list[list[int]]:
    """Columns for tables one below the other, each with the first column."""
    runs: list[list[int]] = []
    for i in range(1, len(each.heads)):
        if runs and each.heads[i].block == each.heads[runs[-1][-1]].block:
            runs[-1].append(i)
        else:
            runs.append([i])

    def fits(columns: list[int]) -> bool:
        return _fit(grid.of_columns(each, [0, *columns]), width) is not None

    blocks: list[list[int]] = []
    for run in runs:
        if blocks and fits(blocks[-1] + run):
            blocks[-1] += run
        elif fits(run):
            blocks.append(run)
        else:
            for i in run:  # too wide by itself: as many as fit
                if blocks and i != run[0] and fits([*blocks[-1], i]):
                    blocks[-1].append(i)
                else:
                    blocks.append([i])
    return [[0, *block] for block in blocks]


def _natural(piece: RenderableType) -> int:
    from rich.console import Console
    from rich.measure import Measurement

    console = Console(width=10_000)
    return Measurement.get(console, console.options, piece).maximum


def grids(report: Report) -> list[Grid]:
    """A report as grids of text."""
    if isinstance(report, Comparison):
        return [_comparison_grid(report)]
    if not isinstance(report, Table):
        return report.grids()
    return [_section_grid(section, report.notes) for section in report.sections]


def _section_grid(section: Section, notes: tuple[str, ...]) -> Grid:
    originals = [row for row in section.rows if row.original]
    ours = [row for row in section.rows if not (row.published or row.original)]
    theirs = [row for row in section.rows if row.published]
    columns = _seen(section)
    return Grid(
        title=f"{section.source} ({section.protocol})",
        heads=[Head(title="Model", number=False), *map(head, columns)],
        groups=[
            [_model_row(row, columns) for row in group]
            for group in (originals, ours, theirs)
            if group
        ],
        notes=[*section.notes, *notes],
    )


def _seen(section: Section) -> tuple[Column, ...]:
    """The columns for people: of the signal metrics those that some row was to have."""
    if section.chosen:
        return section.columns
    asked = {
        key
        for row in section.rows
        for key, entry in row.entries.items()
        if entry.value is not None or entry.text or (row.row is not None and key in row.row.cells)
    }
    return tuple(c for c in section.columns if not c.scores or c.by or c.key in asked)


def _model_row(row: TableRow, columns: tuple[Column, ...]) -> list[GridCell]:
    weights = f"[{row.weights}]" if row.weights and row.weights != "none" else ""
    cells = [GridCell(text=row.label, detail=weights)]
    for column in columns:
        cells.append(_cell(row.entries.get(column.key, Entry(value=None)), column, row.published))
    return cells


def _cell(entry: Entry, column: Column, published: bool) -> GridCell:
    digits = min(column.digits, 2) if published else column.digits  # the paper prints two
    text = entry.text or NOTHING
    if entry.value is not None:
        text = f"{entry.value:.{digits}f}"
    dropped = entry.dropped
    mark = "‡" if dropped else "" if entry.complete else "†"
    interval = entry.interval
    detail = ""
    if interval is not None and interval.low is not None and interval.high is not None:
        detail = f"[{interval.low:.{digits}f}, {interval.high:.{digits}f}]"
    return GridCell(text=text, mark=mark, detail=detail, bold=entry.best)


def _comparison_grid(comparison: Comparison) -> Grid:
    heads = [
        Head(title="Metric", number=False),
        Head(title=comparison.a),
        Head(title=comparison.b),
        Head(title="Difference"),
        Head(title="Better", number=False),
        Head(title="Wins"),
        Head(title="Pairs"),
    ]
    rows = []
    for m in comparison.metrics:
        p, digits = m.paired, m.column.digits
        detail = ""
        if p.interval.low is not None and p.interval.high is not None:
            detail = f"[{p.interval.low:+.{digits}f}, {p.interval.high:+.{digits}f}]"
        rows.append(
            [
                GridCell(text=f"{m.column.title} {m.column.arrow}".strip()),
                GridCell(text=_number(m.value_a, f".{digits}f")),
                GridCell(text=_number(m.value_b, f".{digits}f")),
                GridCell(text=_number(p.difference, f"+.{digits}f"), detail=detail),
                GridCell(text=_better(m, comparison)),
                GridCell(text=_number(p.win_rate, ".0%")),
                GridCell(text=str(p.n)),
            ]
        )
    return Grid(
        title=f"{comparison.a} against {comparison.b}: {comparison.source} ({comparison.protocol})",
        heads=heads,
        groups=[rows],
        notes=comparison.notes,
    )


def _better(m: ComparedMetric, comparison: Comparison) -> str:
    """Who is better, where the interval leaves out zero."""
    low, high = m.paired.interval.low, m.paired.interval.high
    if low is None or high is None or low <= 0 <= high or m.column.direction is None:
        return NOTHING
    return comparison.a if (low > 0) == (m.column.direction == "higher") else comparison.b


def _number(value: float | None, form: str) -> str:
    return NOTHING if value is None else format(value, form)


def _csv(report: Report) -> str:
    if not isinstance(report, Table | Comparison):
        return report.to_csv()
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    if isinstance(report, Comparison):
        writer.writerow(COMPARISON_CSV)
        writer.writerows(_comparison_lines(report))
        return stream.getvalue()
    if len(report.sections) != 1:
        raise InputError(
            "--format csv",
            expected="one source and one protocol",
            found=", ".join(f"{s.source} ({s.protocol})" for s in report.sections),
            remedy="Choose with --source and --protocol.",
        )
    section = report.sections[0]
    applied = [column.key for column in section.columns if column.by]
    # The fixed columns first, there or not; a suite that is asked for has its own.
    fixed = section.suite is None and not section.chosen
    metrics = list(CSV_HEADER[1:]) if fixed else []
    metrics += [c.key for c in section.columns if not c.by and c.key not in metrics]
    intervals_of = [key for key in metrics if _any_interval(section.rows, key)] + applied
    ends = [f"{key}_{end}" for key in intervals_of for end in ("low", "high")]
    writer.writerow(["model", *metrics, *applied, *ends])
    for row in section.rows:
        values = [_of(row, key) for key in (*metrics, *applied)]
        intervals = [
            row.entries[key].interval if key in row.entries else None for key in intervals_of
        ]
        values += [end for i in intervals for end in ((i.low, i.high) if i else (None, None))]
        writer.writerow([row.label, *map(_exact, values)])
    return stream.getvalue()


def _any_interval(rows: Sequence[TableRow], key: str) -> bool:
    entries = [row.entries[key] for row in rows if key in row.entries]
    return any(entry.interval is not None and entry.interval.low is not None for entry in entries)


def _of(row: TableRow, key: str) -> float | None:
    return row.entries[key].value if key in row.entries else None


def _exact(value: float | None) -> str:
    """All digits; whole numbers without a point, nothing for no value."""
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _comparison_lines(comparison: Comparison) -> Iterator[list[str]]:
    for m in comparison.metrics:
        p = m.paired
        values = (m.value_a, m.value_b, p.difference, p.interval.low, p.interval.high)
        counts = (p.wins, p.losses, p.ties, p.win_rate, p.n)
        yield [m.column.key, comparison.a, comparison.b, *map(_exact, values), *map(_exact, counts)]


def _json(report: Report) -> str:
    if not isinstance(report, Table | Comparison):
        return report.to_json()
    content: Any = comparison_json(report) if isinstance(report, Comparison) else table_json(report)
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
