"""Spectrograms side by side: one time axis, one frequency axis, one scale of colours.

Levels are means of the power within each row of the picture, so that its resolution hides no peak
and invents none. The axis is mel-spaced, as hearing is; grey is above half the sample rate, where
a version cannot have anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RANGE_DB = 80.0
"""From the loudest spot of the first panel down to the darkest colour."""
ROWS = 256
COLUMNS = 4
"""Most panels beside each other."""
_WINDOW_S = 0.04  # tells the harmonics of a low voice apart, and still shows syllables
_STEPS = 600  # about as many as a panel has pixels across
_LEAST = 8  # samples of the shortest window
_FLOOR_DB = -160.0
_LEAST_HZ = 4000.0
_TICKS_HZ = (0, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000)
_GREY, _INK = "#c4c4c4", "#333333"
_TITLE_CHARACTERS = 44

Levels = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One spectrogram.

    Attributes:
        title, below: its name, and a line of small print under it.
        samples: ``[T]``, full scale at 1.0, finite.
        rate: in Hz.
    """

    title: str
    below: str = ""
    samples: NDArray[np.floating]
    rate: int


def draw(panels: Sequence[Panel]) -> Figure:
    """The panels in their order, the first of them setting the scale of colours.

    Raises:
        ValueError: there is no panel.
    """
    from matplotlib.figure import Figure

    if not panels:
        raise ValueError("no panels")
    seconds = max(len(panel.samples) / panel.rate for panel in panels)
    step_s = max(seconds / _STEPS, 0.002)
    spectra = [_power(panel, step_s) for panel in panels]
    # A silent first panel has no loudest spot: one that a 16-bit file could hold stands in.
    peak = max(float(_decibels(spectra[0]).max()), -90.0)
    top = _top(panels, spectra, peak - RANGE_DB)
    rows = math.ceil(len(panels) / COLUMNS)
    columns = math.ceil(len(panels) / rows)  # six are three and three, not four and two
    figure = Figure(figsize=(0.9 + 3.7 * columns, 0.1 + 3.0 * rows), layout="constrained")
    axes = [figure.add_subplot(rows, columns, i + 1) for i in range(len(panels))]
    for i, (ax, panel, power) in enumerate(zip(axes, panels, spectra, strict=True)):
        image = ax.imshow(
            _levels(power, panel.rate, top),
            cmap="magma", vmin=peak - RANGE_DB, vmax=peak, aspect="auto", origin="lower",
            extent=(0, power.shape[1] * step_s, 0, float(_mel(top))),
        )  # fmt: skip
        _dress(ax, panel, top, seconds)
        ax.tick_params(labelleft=i % columns == 0, labelbottom=i + columns >= len(panels))
        if i % columns == 0:
            ax.set_ylabel("frequency (kHz)", fontsize=8, color=_INK)
        if i + columns >= len(panels):
            ax.set_xlabel("time (s)", fontsize=8, color=_INK)
    bar = figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01, aspect=28)
    bar.set_label("level (dB of full scale)", fontsize=8, color=_INK)
    bar.ax.tick_params(labelsize=7, colors=_INK)
    return figure


def _dress(ax: Axes, panel: Panel, top: float, seconds: float) -> None:
    # parse_math: a name with two dollar signs is a name.
    ax.set_title(
        f"{_short(panel.title)}\n", fontsize=10, loc="left", color=_INK, parse_math=False,
        fontweight="bold", pad=4,
    )  # fmt: skip
    ax.annotate(
        _short(panel.below), (0, 1), xytext=(0, 5), xycoords="axes fraction",
        textcoords="offset points", fontsize=7.5, color=_INK, parse_math=False,
    )  # fmt: skip
    ax.set_facecolor(_GREY)
    ax.set_xlim(0, seconds)
    ax.set_ylim(0, float(_mel(top)))
    ticks = [hz for hz in _TICKS_HZ if hz <= top]
    ax.set_yticks([float(_mel(hz)) for hz in ticks], [f"{hz / 1000:g}" for hz in ticks])
    ax.tick_params(labelsize=7, colors=_INK)
    ax.spines[:].set_visible(False)


def _short(text: str) -> str:
    """The end of a long text: of a path it tells more than the beginning."""
    return text if len(text) <= _TITLE_CHARACTERS else f"…{text[1 - _TITLE_CHARACTERS :]}"


def _power(panel: Panel, step_s: float) -> NDArray[np.float32]:
    """Power ``[bins, steps]`` over linear frequencies; a sine at full scale peaks at 1."""
    samples = panel.samples.astype(np.float64)
    steps = max(1, math.ceil(len(samples) / panel.rate / step_s))
    samples = np.pad(samples, (0, max(0, _LEAST - len(samples))))
    length = min(max(_LEAST, round(_WINDOW_S * panel.rate)), len(samples))
    fft = 1 << math.ceil(math.log2(4 * length))  # finer than the window: no blocks at low rows
    window = np.hanning(length + 1)[:-1]
    centres = np.rint((np.arange(steps) + 0.5) * step_s * panel.rate).astype(int)
    # The windows at both ends lie within the clip: over an edge, whether to zeros or to a
    # reflection, they would show a click over all frequencies that is not in the audio.
    starts = np.clip(centres - length // 2, 0, len(samples) - length)
    frames = np.lib.stride_tricks.sliding_window_view(samples, length)
    out = np.empty((fft // 2 + 1, steps), np.float32)
    for begin in range(0, steps, 64):
        part = frames[starts[begin : begin + 64]] * window
        spectrum = np.fft.rfft(part, fft) * (2 / window.sum())
        out[:, begin : begin + 64] = (np.abs(spectrum) ** 2).T
    return out


def _top(panels: Sequence[Panel], spectra: Sequence[NDArray[np.float32]], floor: float) -> float:
    """Where the axis ends, Hz: above the highest that any panel shows, to a whole kHz."""
    highest = _LEAST_HZ
    for panel, power in zip(panels, spectra, strict=True):
        audible = np.flatnonzero(_decibels(power.max(axis=1)) > floor)
        if audible.size:
            highest = max(highest, audible[-1] / (len(power) - 1) * panel.rate / 2)
    return min(1000 * math.ceil(highest / 1000), max(panel.rate for panel in panels) / 2)


def _levels(power: NDArray[np.float32], rate: int, top: float) -> Levels:
    """Levels ``[ROWS, steps]`` in dB over mel-spaced rows; NaN above half the rate."""
    edges = 700 * np.expm1(np.linspace(0, _mel(top), ROWS + 1))
    width = rate / 2 / (len(power) - 1)
    centres = np.arange(len(power)) * width
    begin = np.maximum(edges[:-1, None], centres - width / 2)
    end = np.minimum(edges[1:, None], centres + width / 2)
    shares = np.clip(end - begin, 0, None)
    total = shares.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        mean = (shares / total).astype(np.float32) @ power
    return _decibels(mean)


def _decibels(power: NDArray[np.float32]) -> Levels:
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (_FLOOR_DB / 10))), np.float32)


def _mel(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(np.log1p(np.asarray(hz) / 700))
