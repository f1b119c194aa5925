"""Spectrograms side by side: one time axis, one frequency axis, one scale of colours.

Levels are means of the power within each row of the picture, so that its resolution hides no peak
and invents none. The axis is mel-spaced, as hearing is; a picture is transparent above half the
sample rate and beyond the end, where a version cannot have anything. Axes are the page's, so that
they follow its colours and its width.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RANGE_DB = 80.0
"""From the loudest spot of the first panel down to the darkest colour."""
ROWS = 256
_COLOURS = 255  # of a palette of 256; the last is transparent
_WINDOW_S = 0.04  # tells the harmonics of a low voice apart, and still shows syllables
_STEPS = 600  # about as many as a panel has pixels across
_LEAST = 8  # samples of the shortest window
_FLOOR_DB = -160.0
_LEAST_HZ = 4000.0
_TICKS_HZ = (0, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000)

Levels = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One version of a clip: ``[T]`` finite samples, full scale at 1.0, and their rate in Hz."""

    samples: NDArray[np.floating]
    rate: int


@dataclass(frozen=True, kw_only=True)
class Spectrograms:
    """Panels of one clip on the same axes.

    Attributes:
        levels: ``[ROWS, steps]`` each, dB of full scale, low frequencies first; NaN where a version
            cannot have anything.
        top_hz: where the frequency axis ends.
        seconds: where the time axis ends.
        loudest_db: the brightest colour; `RANGE_DB` below it is the darkest.
    """

    levels: tuple[Levels, ...]
    top_hz: float
    seconds: float
    loudest_db: float

    def ticks(self) -> list[tuple[str, float]]:
        """Frequencies to name, in kHz, and where they lie on the axis, from 0 to 1."""
        return [
            (f"{hz / 1000:g}", float(mel(hz) / mel(self.top_hz)))
            for hz in _TICKS_HZ
            if hz <= self.top_hz
        ]


def draw(panels: Sequence[Panel]) -> Spectrograms:
    """The panels in their order, the first of them setting the scale of colours.

    Raises:
        ValueError: there is no panel.
    """
    if not panels:
        raise ValueError("no panels")
    seconds = max(len(panel.samples) / panel.rate for panel in panels)
    step_s = max(seconds / _STEPS, 0.002)
    spectra = [_power(panel, step_s) for panel in panels]
    # A silent first panel has no loudest spot: one that a 16-bit file could hold stands in.
    loudest = max(float(_decibels(spectra[0]).max()), -90.0)
    top = _top(panels, spectra, loudest - RANGE_DB)
    steps = max(power.shape[1] for power in spectra)
    return Spectrograms(
        levels=tuple(
            _levels(power, panel.rate, top, steps)
            for panel, power in zip(panels, spectra, strict=True)
        ),
        top_hz=top,
        seconds=steps * step_s,
        loudest_db=loudest,
    )


def png(levels: Levels, loudest_db: float) -> bytes:
    """A picture of levels, high frequencies on top."""
    from matplotlib import colormaps
    from PIL import Image

    shares = (np.nan_to_num(levels[::-1]) - (loudest_db - RANGE_DB)) / RANGE_DB
    colours = np.rint(np.clip(shares, 0, 1) * (_COLOURS - 1)).astype(np.uint8)
    colours[np.isnan(levels[::-1])] = _COLOURS
    palette = np.zeros((256, 3), np.uint8)
    palette[:_COLOURS] = colormaps["magma"](np.linspace(0, 1, _COLOURS), bytes=True)[:, :3]
    image = Image.fromarray(colours)
    image.putpalette(palette.tobytes())
    content = io.BytesIO()
    image.save(content, format="PNG", transparency=_COLOURS, optimize=True)
    return content.getvalue()


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


def _levels(power: NDArray[np.float32], rate: int, top: float, steps: int) -> Levels:
    """Levels ``[ROWS, steps]`` in dB over mel-spaced rows; NaN above half the rate and after it."""
    edges = 700 * np.expm1(np.linspace(0, mel(top), ROWS + 1))
    width = rate / 2 / (len(power) - 1)
    centres = np.arange(len(power)) * width
    begin = np.maximum(edges[:-1, None], centres - width / 2)
    end = np.minimum(edges[1:, None], centres + width / 2)
    shares = np.clip(end - begin, 0, None)
    total = shares.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        mean = (shares / total).astype(np.float32) @ power
    levels = np.full((ROWS, steps), np.nan, np.float32)
    levels[:, : power.shape[1]] = _decibels(mean)
    return levels


def _decibels(power: NDArray[np.float32]) -> Levels:
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (_FLOOR_DB / 10))), np.float32)


def mel(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """A frequency on the axis, whose unit does not matter."""
    return np.asarray(np.log1p(np.asarray(hz) / 700))
