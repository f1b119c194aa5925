"""Ratings over each metric, one panel a metric."""

from __future__ import annotations

import math
from pathlib import Path

from sqbench.agreement.report import ALL, Agreements
from sqbench.agreement.run import Scores
from sqbench.errors import InputError
from sqbench.metrics import catalogue
from sqbench_codecs.extras import pip_line

_PALETTE = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#8C564B",
    "#000000", "#BCBD22",
)  # fmt: skip
_COLUMNS = 4


def draw(found: Agreements, scores: Scores, path: Path) -> None:
    """Write the figure; metrics in the order of the table.

    Raises:
        InputError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError(
            "--plot", expected="matplotlib", found="none", remedy=f"{pip_line('plots')}."
        ) from None

    rows = found.of(ALL)
    stimuli = found.ratings.stimuli
    conditions = sorted({each.condition for each in stimuli})
    colours = {name: _PALETTE[i % len(_PALETTE)] for i, name in enumerate(conditions)}
    lines = -(-len(rows) // _COLUMNS)
    figure = Figure(figsize=(3.1 * _COLUMNS, 2.7 * lines + 0.7), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(lines, _COLUMNS, squeeze=False, sharey=True)
    for index, row in enumerate(rows):
        panel = panels[index // _COLUMNS][index % _COLUMNS]
        values = scores.values[row.metric]
        for condition in conditions:
            some = [
                (value, each.rating)
                for value, each in zip(values, stimuli, strict=True)
                if each.condition == condition and math.isfinite(value)
            ]
            if some:
                x, y = zip(*some, strict=True)
                panel.plot(
                    x, y, ".", color=colours[condition], markersize=5, alpha=0.75, label=condition
                )
        accuracy = "" if row.accuracy.value is None else f"pairs {row.accuracy.value:.2f}"
        rho = "" if row.spearman.value is None else f", rho {row.spearman.value:.2f}"
        panel.set_title(f"{row.metric}: {accuracy}{rho}", fontsize=9)
        panel.tick_params(labelsize=8)
        panel.grid(alpha=0.25)
        if catalogue.get(row.metric).direction == "lower":
            panel.invert_xaxis()  # better is right in every panel
        if index % _COLUMNS == 0:
            panel.set_ylabel("mean rating", fontsize=8)
    for index in range(len(rows), lines * _COLUMNS):
        panels[index // _COLUMNS][index % _COLUMNS].set_visible(False)
    handles, names = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(5, len(names)), fontsize=8)
    figure.suptitle(f"{found.ratings.name}: ratings over metrics, better to the right", fontsize=10)
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:
        raise InputError(str(path), expected="to write an image", found=str(error)) from None
