"""Results as one HTML file that opens from the disk: table, checks, plots; nothing is fetched."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqbench.atomic import write_text
from sqbench.quantization import plots, tables
from sqbench.quantization.cell import Cell
from sqbench.quantization.tables import Trials
from sqbench.quantization.verdict import NOT_RUN, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TEMPLATE = Path(__file__).with_name("page.html.j2")


def write(
    path: Path, cells: Sequence[Cell], trials: Trials, verdicts: Sequence[Verdict], command: str
) -> None:
    """Write the page; ``verdicts`` of checks that had no cells are left out."""
    write_text(path, render(cells, trials, verdicts, command))


def render(cells: Sequence[Cell], trials: Trials, verdicts: Sequence[Verdict], command: str) -> str:
    """The page as a text. Every name in it is escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_TEMPLATE.read_text("utf-8"))
    pictures = {name: _picture(f) for name, f in plots.figures(cells, trials).items()}
    return template.render(
        grid=tables.grid(cells, trials),
        verdicts=[verdict for verdict in verdicts if verdict.measured != NOT_RUN],
        pictures=pictures,
        command=command,
    )


def _picture(figure: Figure) -> str:
    """A figure as the address of an SVG that lies in the page."""
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(stream.getvalue()).decode()
