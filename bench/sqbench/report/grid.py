"""A grid of texts, and its three forms for people: terminal, Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table as RichTable
    from rich.text import Text


NOTHING = "\u2013"  # an en dash: no value


@dataclass(frozen=True, kw_only=True)
class Head:
    """A column's head: title, what belongs beneath it, and whether its cells are numbers.

    ``group`` is shown above the first of neighbours that share it, where there are several groups.
    Where a terminal is too narrow, what is ``spare`` goes first, and neighbours of one ``block``
    stay together.
    """

    title: str
    below: str = ""
    number: bool = True
    group: str = ""
    block: str = ""
    spare: bool = False


@dataclass(frozen=True, kw_only=True)
class GridCell:
    """One cell: a text, a mark after it, a detail (an interval, the weights), and stress."""

    text: str
    mark: str = ""
    detail: str = ""
    bold: bool = False


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Rows in groups, with a title above and notes below; one that is ``whole`` is never put into
    blocks, as its rows are not told by their first column alone."""

    title: str
    heads: Sequence[Head]
    groups: Sequence[Sequence[Sequence[GridCell]]]
    notes: Sequence[str] = ()
    whole: bool = False


def of_columns(grid: Grid, columns: Sequence[int]) -> Grid:
    """The grid with these of its columns, without title and notes."""
    return Grid(
        title="",
        heads=[grid.heads[i] for i in columns],
        groups=[[[row[i] for i in columns] for row in group] for group in grid.groups],
    )


LEVELS = (0, 1, 2)
"""How narrow `to_rich` makes a table: details beside names, beneath them, and themselves folded."""


def to_rich(grid: Grid, *, level: int = 0) -> RichTable:
    """The grid for a terminal, at one of the `LEVELS`."""
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD,
        title=grid.title,
        title_justify="left",
        title_style="bold",
        header_style="bold",
        pad_edge=False,
        padding=(0, 0, 0, 1),
        show_edge=False,
    )
    above = _groups(grid.heads)
    for index, head in enumerate(grid.heads):
        top = [above.get(index, "")] if above else []
        table.add_column(
            "\n".join([*top, head.title, *filter(None, [head.below])]),
            justify="right" if head.number else "left",
            no_wrap=True,
        )
    columns = [[row[i] for group in grid.groups for row in group] for i in range(len(grid.heads))]
    texts = [
        _numbers(column, head, level) if head.number else [_name(cell, level) for cell in column]
        for head, column in zip(grid.heads, columns, strict=True)
    ]
    lines = iter(zip(*texts, strict=True))
    for group in grid.groups:
        for _ in group:
            table.add_row(*next(lines))
        table.add_section()
    return table


def _groups(heads: Sequence[Head]) -> dict[int, str]:
    """Names of groups by the first column of each; none where there is but one."""
    named = {
        index: head.group
        for index, head in enumerate(heads)
        if head.group and (index == 0 or heads[index - 1].group != head.group)
    }
    return named if len(set(named.values())) > 1 else {}


def _name(cell: GridCell, level: int) -> Text:
    from rich.text import Text

    text = Text(cell.text + cell.mark)
    if cell.detail:
        text.append("\n" if level else " ").append(cell.detail, style="dim")
    return text


def _numbers(cells: Sequence[GridCell], head: Head, level: int) -> list[Text]:
    """Numbers with their digits under each other, whether a mark follows or not.

    Padded to the column's width on the left, as justifying right would put the marks of some
    under the digits of others.
    """
    from rich.text import Text

    mark = max(len(cell.mark) for cell in cells) if cells else 0
    details = [cell.detail.replace(", ", ",\n") if level == 2 else cell.detail for cell in cells]
    parts = [*(cell.text for cell in cells), *"\n".join(details).split("\n")]
    width = max(len(head.title) - mark, len(head.below) - mark, *map(len, parts))
    texts = []
    for cell, detail in zip(cells, details, strict=True):
        text = Text(" " * (width - len(cell.text)), justify="left")
        text.append(cell.text, style="bold" if cell.bold else "").append(cell.mark)
        for line in detail.split("\n") if detail else ():
            text.append("\n" + line.rjust(width), style="dim")
        texts.append(text)
    return texts


def to_markdown(grid: Grid) -> str:
    """The grid as a Markdown table, notes as a list."""
    above = _groups(grid.heads)
    heads = [
        " ".join(filter(None, (above.get(i, "") and f"{above[i]}:", head.title, head.below)))
        for i, head in enumerate(grid.heads)
    ]
    lines = [f"**{_pipes(grid.title)}**", ""] if grid.title else []
    lines.append(_markdown_line(heads))
    lines.append(_markdown_line(["---:" if head.number else ":---" for head in grid.heads]))
    for group in grid.groups:
        lines += [_markdown_line([_markdown_cell(cell) for cell in row]) for row in group]
    if grid.notes:
        lines += ["", *(f"- {note}" for note in grid.notes)]
    return "\n".join(lines) + "\n"


def _markdown_cell(cell: GridCell) -> str:
    text = f"**{cell.text}**" if cell.bold else cell.text
    return f"{text}{cell.mark}" + (f" {cell.detail}" if cell.detail else "")


def _markdown_line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_pipes(cell) for cell in cells) + " |"


def _pipes(text: str) -> str:
    return text.replace("|", "\\|")


def to_latex(grid: Grid, caption: str = "", label: str = "") -> str:
    """The grid as a ``tabular`` for the ``booktabs`` package, notes as comments.

    Args:
        caption: as LaTeX has it; with one, or a label, the ``tabular`` stands in a ``table``.
        label: what ``\\ref`` names.
    """
    lines = [f"% {line}" for line in (grid.title, *grid.notes, r"\usepackage{booktabs}")]
    floats = bool(caption or label)
    if floats:
        lines += [r"\begin{table}", r"\centering"]
        lines += [rf"\caption{{{caption}}}"] if caption else []
        lines += [rf"\label{{{label}}}"] if label else []
    lines.append(r"\begin{tabular}{" + "".join("r" if h.number else "l" for h in grid.heads) + "}")
    lines.append(r"\toprule")
    lines += _latex_heads(grid.heads)
    for group in grid.groups:
        lines.append(r"\midrule")
        for row in group:
            cells = zip(row, grid.heads, strict=True)
            lines.append(" & ".join(_latex_cell(*cell) for cell in cells) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}", *([r"\end{table}"] if floats else [])]
    return "\n".join(lines) + "\n"


def _latex_heads(heads: Sequence[Head]) -> Iterator[str]:
    above = _groups(heads)
    if above:
        cells, rules, index = [], [], 0
        while index < len(heads):
            width = 1
            if index in above:
                while index + width < len(heads) and heads[index + width].group == above[index]:
                    width += 1
                rules.append(rf"\cmidrule(lr){{{index + 1}-{index + width}}}")
            cells.append(rf"\multicolumn{{{width}}}{{c}}{{{_latex(above.get(index, ''))}}}")
            index += width
        yield " & ".join(cells) + r" \\"
        yield "".join(rules)
    yield " & ".join(_latex(head.title) for head in heads) + r" \\"
    if any(head.below for head in heads):
        yield " & ".join(_latex(head.below) for head in heads) + r" \\"


def _latex_cell(cell: GridCell, head: Head) -> str:
    text, detail = cell.text, cell.detail
    if head.number:
        text, detail = (_HYPHEN.sub("\u2212", each) for each in (text, detail))
    text = _latex(text)
    if cell.bold:
        text = rf"\textbf{{{text}}}"
    text += _latex(cell.mark)
    return text + (rf" {{\scriptsize {_latex(detail)}}}" if detail else "")


_HYPHEN = re.compile(r"(?<![\w.])-(?=[\d.])")
"""Where it stands for a minus."""


_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: rf"\{sign}" for sign in "&%$#_"},
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "†": r"$^\dagger$",
        "‡": r"$^\ddagger$",
        "\u2013": "--",
        "…": r"\ldots{}",
        "\u2212": "$-$",
    }
)


def _latex(text: str) -> str:
    return text.translate(_LATEX)
