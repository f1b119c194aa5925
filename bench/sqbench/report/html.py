"""A grid as HTML, for notebooks. Everything from outside is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from sqbench.report.grid import Grid, GridCell, Head


def to_html(grid: Grid) -> str:
    """The grid as a ``table``, notes as a list."""
    lines = [
        "<table>",
        *([f"<caption>{escape(grid.title)}</caption>"] if grid.title else []),
        "<thead><tr>" + "".join(map(_head, grid.heads)) + "</tr></thead>",
    ]
    for group in grid.groups:
        rows = (f"<tr>{_cells(row, grid.heads)}</tr>" for row in group)
        lines += ["<tbody>", *rows, "</tbody>"]
    lines.append("</table>")
    if grid.notes:
        lines += ["<ul>", *(f"<li>{escape(note)}</li>" for note in grid.notes), "</ul>"]
    return "\n".join(lines) + "\n"


def _head(head: Head) -> str:
    below = f"<br/>{escape(head.below)}" if head.below else ""
    return f"<th{_align(head)}>{escape(head.title)}{below}</th>"


def _cells(row: Sequence[GridCell], heads: Sequence[Head]) -> str:
    return "".join(
        f"<td{_align(head)}>{_cell(cell)}</td>" for cell, head in zip(row, heads, strict=True)
    )


def _cell(cell: GridCell) -> str:
    text = escape(cell.text)
    if cell.bold:
        text = f"<b>{text}</b>"
    text += escape(cell.mark)
    return text + (f"<br/><small>{escape(cell.detail)}</small>" if cell.detail else "")


def _align(head: Head) -> str:
    return f' style="text-align: {"right" if head.number else "left"}"'
