"""The course of a run as one picture: ``python -m sqcodec.train.curve RUN [-o curve.png]``."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sqcodec.errors import InputError
from sqcodec.streams import guarded
from sqcodec.train import command
from sqcodec.train.logs import LOG, read_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TERMS = ("loss", "l1", "stft", "mel", "perceptual", "adversarial", "feature", "discriminator")
METRICS = {"val_sdr": "SDR (dB)", "val_stoi": "STOI", "val_pesq": "PESQ", "val_mel": "MEL"}
SPAN = 0.05  # of the steps, over which training values are averaged: crops differ

Rows = list[dict[str, Any]]


def draw(run: Path, out: Path) -> Path:
    """Draw the log of ``run`` into the image ``out``, its format by its name's ending.

    Loss and its terms; SNR in training and held out; what sqbench measured; the learning rate.

    Raises:
        InputError: no matplotlib, no log, nothing logged, or an image that cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        remedy = "pip install matplotlib"
        raise InputError("curve", expected="matplotlib", found=str(error), remedy=remedy) from None
    path = run / LOG
    if not path.is_file():
        raise InputError(str(path), expected="the log of a training run", found="no such file")
    rows = read_log(path)
    steps, reports = ([r for r in rows if r["kind"] == kind] for kind in ("step", "report"))
    if not steps:
        raise InputError(str(path), expected="at least one logged step", found=f"{len(rows)} rows")
    panels = [partial(_losses, steps=steps), partial(_snr, steps=steps, reports=reports)]
    for key, title in METRICS.items():
        if any(row.get(key) is not None for row in reports):
            panels.append(partial(_line, rows=reports, key=key, title=f"{title}, held-out speech"))
    panels.append(partial(_line, rows=steps, key="lr", title="Learning rate"))
    lines = -(-len(panels) // 2)
    figure = Figure(figsize=(9.2, 2.9 * lines), layout="constrained")
    for position, panel in enumerate(panels, start=1):
        axes = figure.add_subplot(lines, 2, position)
        panel(axes)
        axes.set_xlim(0, steps[-1]["step"])
        axes.set_xlabel("step" if position > len(panels) - 2 else "")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        if len(axes.get_legend_handles_labels()[0]) > 1:
            axes.legend(fontsize="x-small", framealpha=0.8, edgecolor="none")
    try:
        figure.savefig(out, dpi=150)
    except (OSError, ValueError) as error:
        raise InputError(f"-o {out}", expected="an image to write", found=str(error)) from None
    return out


def _losses(axes: Axes, steps: Rows) -> None:
    for key in TERMS:
        x, y = series(steps, key)
        if len(x):
            axes.plot(x, smooth(y), label=key, linewidth=2 if key == "loss" else 1)
    axes.set_yscale("log")
    axes.set_title("Loss and its terms, unweighted")


def _snr(axes: Axes, steps: Rows, reports: Rows) -> None:
    x, y = series(steps, "snr_db")
    axes.plot(x, smooth(y), label="training", color="0.6")
    for key in sorted({key for row in reports for key in row if key.startswith("val_snr_db_")}):
        axes.plot(*series(reports, key), ".-", label=f"held out, {key[len('val_snr_db_') :]}")
    axes.set_title("SNR (dB)")


def _line(axes: Axes, rows: Rows, key: str, title: str) -> None:
    axes.plot(*series(rows, key), ".-" if len(rows) < 200 else "-")
    axes.set_title(title)


def series(rows: Rows, key: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Steps and values of the rows that have a value."""
    found = [(row["step"], row[key]) for row in rows if row.get(key) is not None]
    x, y = np.array(found, np.float64).reshape(-1, 2).T
    return x, y


def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Running mean over `SPAN` of the values, of fewer at the ends."""
    half, at = int(SPAN * len(values) / 2), np.arange(len(values))
    first, last = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray((sums[last] - sums[first]) / (last - first))


DESCRIPTION = "Draw the course of a training run as one picture."


def add_options(parse: argparse.ArgumentParser) -> None:
    """Add the options to a parser."""
    parse.add_argument("run", type=command.path, help="folder of a training run")
    parse.add_argument("-o", "--out", type=command.path, help="image (default: RUN/curve.png)")


def main(arguments: list[str] | None = None) -> int:
    """Draw; returns the exit status."""
    parse = command.Parser(prog="python -m sqcodec.train.curve", description=DESCRIPTION)
    add_options(parse)
    return guarded("error", lambda: run(parse.parse_args(arguments)))


def run(options: argparse.Namespace) -> int:
    """Draw what was asked for; returns the exit status."""
    try:
        print(draw(options.run, options.out or options.run / "curve.png"))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
