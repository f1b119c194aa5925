"""Plots: SNR over bits, growth of the latents, use of the codes. Every seed is shown."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqbench.quantization import bounds
from sqbench.quantization.cell import LEVELS, Cell
from sqbench.quantization.experiment import QuantizationTrial
from sqbench.quantization.tables import Trials, median, values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAP_DB = 60.0
"""SNR above this is drawn here: with a code for every point it only tells how long was trained."""
_PALETTE = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#8C564B",
    "#000000", "#BCBD22",
)  # fmt: skip
_FIRST = ("ste+cl0.25", "ste", "mste", "diveq", "soft", "uniform", "taae-mix")
"""Methods of the default matrix have the same colours in every plot."""
_INK = "#555555"
_COLUMNS = 3
_SPREAD = 0.14
"""Of the distance between rates: how far methods are drawn apart."""


def draw(cells: Sequence[Cell], trials: Trials, folder: Path) -> list[Path]:
    """Draw all plots that the results allow; returns their paths."""
    paths = []
    for name, figure in figures(cells, trials).items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=130)
    return paths


def figures(cells: Sequence[Cell], trials: Trials) -> dict[str, Figure]:
    """All plots that the results allow, by name."""
    there = [cell for cell in cells if values(trials.get(cell.identity, ()), "snr_db")]
    if not there:
        return {}
    colours = _colours(there)
    steps = statistics.mode(
        cell.steps for cell in there
    )  # what trained longer is no point of a line
    alike = [cell for cell in there if cell.steps == steps]
    drawn = {
        "snr_over_bits": _snr_over_bits(alike, trials, colours),
        "latent_growth": _latent_growth(alike, trials, colours),
        "codebook_usage": _codebook_usage(there, trials, colours),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _colours(cells: Sequence[Cell]) -> dict[str, str]:
    methods = dict.fromkeys([*_FIRST, *(cell.method for cell in cells)])
    return {m: _PALETTE[i % len(_PALETTE)] for i, m in enumerate(methods)}


def _figure(panels: int, height: float) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, panels)
    rows = math.ceil(panels / columns)
    figure = Figure(figsize=(4.3 * columns, height * rows), layout="constrained")
    axes = [figure.add_subplot(rows, columns, i + 1) for i in range(panels)]
    for ax in axes:
        ax.grid(alpha=0.25, linewidth=0.6)
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8)
        ax.xaxis.label.set_fontsize(9)
        ax.yaxis.label.set_fontsize(9)
    return figure, axes


def _snr_over_bits(cells: Sequence[Cell], trials: Trials, colours: dict[str, str]) -> Figure | None:
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        family = "levels (FSQ)" if cell.quantizer in LEVELS else "codebooks (VQ)"
        groups.setdefault(f"{cell.source_name}, {family}", []).append(cell)
    if not groups:
        return None
    figure, axes = _figure(len(groups), 3.5)
    for (title, group), ax in zip(groups.items(), axes, strict=True):
        names = list(dict.fromkeys(_name(cell) for cell in group))
        rates = sorted({cell.rate_bits for cell in group})
        # Methods side by side, near enough that the slope of the lines does not mislead.
        pitch = _SPREAD * _spacing(rates) / len(names)
        for place, name in enumerate(names):
            offset = (place - (len(names) - 1) / 2) * pitch
            members = sorted((c for c in group if _name(c) == name), key=lambda c: c.rate_bits)
            colour, marker = colours[members[0].method], _marker(members[0])
            medians = []
            for cell in members:
                found = trials[cell.identity]
                numbers = [min(v, CAP_DB) for v in values(found, "snr_db")]
                x = cell.rate_bits + offset
                ax.plot([x] * len(numbers), numbers, marker, color=colour, ms=4, alpha=0.65, mew=0)
                medians.append((x, min(median(found, "snr_db") or 0.0, CAP_DB)))
            ax.plot(*zip(*medians, strict=True), color=colour, lw=1.1, alpha=0.8)
            ax.plot([], [], marker=marker, color=colour, lw=1.1, ms=4, label=name)
        _reference_lines(ax, group, trials, rates)
        ax.set_title(title, fontsize=10, loc="left")
        ax.set_xticks(rates)
        ax.set_xticklabels([f"{rate:.3g}" for rate in rates])
        ax.set_xlabel("bits a frame")
        ax.set_ylabel("SNR (dB), hard quantizer")
        ax.legend(fontsize=7, frameon=False, loc="upper left")
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.28 * (high - low))  # room for the legend
    figure.suptitle(
        f"SNR over bits: every seed a dot, lines through medians; above {CAP_DB:g} dB drawn there",
        fontsize=11,
    )
    return figure


def _reference_lines(
    ax: Axes, group: Sequence[Cell], trials: Trials, rates: Sequence[float]
) -> None:
    cell = group[0]
    half = 0.7 * _SPREAD * _spacing(rates)

    def line(points: Sequence[tuple[float, float]], style: str, label: str) -> None:
        ax.plot(*zip(*points, strict=True), color="black", lw=0.6, ls=style, alpha=0.5, zorder=0)
        for x, y in points:
            ax.plot([x - half, x + half], [y, y], color="black", lw=1.3, ls=style, zorder=0)
        ax.plot([], [], color="black", lw=1.3, ls=style, label=label)

    known = sorted(
        {(c.rate_bits, v) for c in group
         if (v := median(trials[c.identity], "reference_db")) is not None}
    )  # fmt: skip
    if cell.source == "alphabet":
        ax.axvline(cell.source_bits, color=_INK, lw=0.8, ls=":", zorder=0)
        ax.annotate(
            f" {cell.source_bits} bits suffice", (cell.source_bits, 0.99),
            xycoords=("data", "axes fraction"), fontsize=7, color=_INK, ha="left", va="top",
        )  # fmt: skip
        if known:
            line(known, "--", "k-means of the points")
        return
    limits = [
        (bits, bounds.shannon_db(cell.source, cell.features, bits / cell.features))
        for bits in rates
    ]
    line(limits, "-", "Shannon")
    if cell.source == "uniform":
        label = "uniform quantizer"
    elif cell.quantizer in LEVELS:
        label = "Lloyd-Max"
    else:
        label = "k-means of samples"
        counts = {bits: round(2 ** (bits / cell.features)) for bits in rates}
        whole = [bits for bits in rates if bits % cell.features == 0]
        if whole and cell.source == "gaussian":
            line([(b, bounds.lloyd_max(counts[b]).snr_db) for b in whole], ":", "Lloyd-Max")
    if known:
        line(known, "--", label)


def _latent_growth(cells: Sequence[Cell], trials: Trials, colours: dict[str, str]) -> Figure | None:
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.quantizer not in LEVELS:
            title = f"{cell.source_name}, {cell.quantizer}, {cell.rate_bits:g} bits"
            groups.setdefault(title, []).append(cell)
    groups = {title: group for title, group in groups.items() if len(group) > 1}
    if not groups:
        return None
    figure, axes = _figure(len(groups), 2.9)
    for (title, group), ax in zip(groups.items(), axes, strict=True):
        for cell in group:
            name = cell.method if cell.restarts else f"{cell.method}, no restarts"
            for number, trial in enumerate(trials[cell.identity]):
                curve = _curve(trial)
                ax.plot(
                    *zip(*curve, strict=True), color=colours[cell.method], lw=1.1, alpha=0.75,
                    ls="-" if cell.restarts else "--", label=name if number == 0 else None,
                )  # fmt: skip
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        ax.set_ylim(min(low, 0.3), max(high, 10.0))
        ax.set_title(title, fontsize=10, loc="left")
        ax.set_xlabel("step")
        ax.set_ylabel("deviation of the latents")
        ax.legend(fontsize=7, frameon=False, loc="upper left", ncols=2)
    figure.suptitle("Growth of the encoder's output over training: every seed a line", fontsize=11)
    return figure


def _curve(trial: QuantizationTrial) -> list[tuple[int, float]]:
    return sorted(
        (int(name.rpartition("@")[2]), value)
        for name, value in trial.values.items()
        if name.startswith("latent_std@") and value is not None
    )


def _codebook_usage(
    cells: Sequence[Cell], trials: Trials, colours: dict[str, str]
) -> Figure | None:
    from matplotlib.figure import Figure

    ordered = sorted(
        cells, key=lambda c: (c.source_name, c.quantizer not in LEVELS, c.quantizer, c.rate_bits)
    )
    figure = Figure(figsize=(9.5, 1.2 + 0.2 * len(ordered)), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    titles = (
        "effective bits (of the source's or the code's, the fewer)",
        "codes used at least once",
    )
    previous = None
    for row, cell in enumerate(ordered):
        found = trials[cell.identity]
        possible = min(cell.source_bits or cell.rate_bits, cell.rate_bits)
        shares = [v / possible for v in values(found, "entropy_bits")]
        for ax, numbers in zip(axes, (shares, values(found, "usage")), strict=True):
            ax.plot(numbers, [row] * len(numbers), _marker(cell), color=colours[cell.method], ms=5,
                    alpha=0.7, mew=0)  # fmt: skip
            group = (cell.source_name, cell.quantizer, cell.rate_bits)
            if previous is not None and group != previous:
                ax.axhline(row - 0.5, color=_INK, lw=0.4, alpha=0.6)
        previous = group
    for ax, title in zip(axes, titles, strict=True):
        ax.set_title(title, fontsize=10, loc="left")
        ax.set_xlim(-0.02, 1.03)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        ax.grid(alpha=0.25, linewidth=0.6)
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8)
    axes[0].set_yticks(range(len(ordered)))
    axes[0].set_yticklabels([cell.label for cell in ordered], fontsize=7)
    axes[0].set_ylim(len(ordered) - 0.5, -0.5)
    figure.suptitle("Codebook usage: every seed a dot", fontsize=11)
    return figure


def _name(cell: Cell) -> str:
    plain = cell.quantizer in ("vq", "fsq")
    return cell.method if plain else f"{cell.quantizer}, {cell.method}"


def _marker(cell: Cell) -> str:
    return "o" if cell.quantizer in ("vq", "fsq") else "D"


def _spacing(rates: Sequence[float]) -> float:
    return min((b - a for a, b in itertools.pairwise(rates)), default=1.0)
