"""What a spectrogram shows is what is in the audio, and the same in every panel."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sqbench.listening.spectrogram import RANGE_DB, ROWS, Panel, draw


def _tone(hz: float, rate: int, seconds: float = 1.0, amplitude: float = 0.5) -> Panel:
    t = np.arange(round(seconds * rate)) / rate
    return Panel(title="tone", samples=amplitude * np.sin(2 * np.pi * hz * t), rate=rate)


def _panels(figure: Figure) -> list[Axes]:
    return [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]


def _levels(ax: Axes) -> np.ndarray:
    levels = ax.images[0].get_array()
    assert levels is not None
    return np.asarray(np.ma.filled(levels, np.nan))


def _edges(ax: Axes) -> np.ndarray:
    """Frequencies between the rows, in Hz, of the axis as it is drawn."""
    return 700 * np.expm1(np.linspace(*ax.get_ylim(), ROWS + 1))


@pytest.mark.parametrize("hz", [200.0, 1000.0, 3500.0, 7000.0])
def test_a_tone_is_where_it_belongs_at_its_level_throughout(hz: float) -> None:
    (ax,) = _panels(draw([_tone(hz, 16000)]))
    levels, edges = _levels(ax), _edges(ax)
    row = int(np.searchsorted(edges, hz)) - 1
    # Also in the first and the last step, where a window beyond the clip would show a click.
    assert np.all(np.abs(levels.argmax(axis=0) - row) <= 2)
    widest = max(0.0, 10 * np.log10((edges[row + 1] - edges[row]) / 25))  # spread over a row
    assert levels.max() == pytest.approx(20 * np.log10(0.5) - widest, abs=2)
    far = np.abs(edges[:-1] - hz) > 700
    assert levels[far].max() < levels.max() - 40


def test_panels_share_axes_and_colours() -> None:
    panels = [_tone(1000, 48000), _tone(1000, 16000, 0.5), _tone(1000, 8000, amplitude=0.001)]
    axes = _panels(draw(panels))
    assert len(axes) == 3
    for get in (Axes.get_xlim, Axes.get_ylim):
        assert len({get(ax) for ax in axes}) == 1
    assert len({ax.images[0].get_clim() for ax in axes}) == 1
    low, high = axes[0].images[0].get_clim()
    assert high - low == pytest.approx(RANGE_DB)
    loudest = [_levels(ax)[np.isfinite(_levels(ax))].max() for ax in axes]
    assert loudest[0] == pytest.approx(high, abs=1)
    np.testing.assert_allclose(loudest[0] - np.array(loudest), [0, 0, 53.98], atol=0.5)


def test_above_half_the_rate_there_is_nothing() -> None:
    noise = np.random.default_rng(0).standard_normal(16000) * 0.1
    wide, narrow = _panels(draw([Panel(title="w", samples=noise, rate=16000), _tone(1000, 8000)]))
    beyond = _edges(wide)[:-1] > 4000
    assert beyond.any()
    assert np.isfinite(_levels(wide)).all()
    assert np.isnan(_levels(narrow)[beyond]).all()
    assert np.isfinite(_levels(narrow)[~beyond]).all()


def test_the_axis_ends_above_what_there_is() -> None:
    (ax,) = _panels(draw([_tone(5200, 48000)]))
    assert 5000 < _edges(ax)[-1] < 10000
    (ax,) = _panels(draw([_tone(100, 48000)]))
    assert _edges(ax)[-1] == pytest.approx(4000)


@pytest.mark.parametrize("count", [1, 4, 5, 6, 9])
def test_any_number_of_panels(count: int) -> None:
    assert len(_panels(draw([_tone(500, 8000, 0.1)] * count))) == count


def test_odd_input() -> None:
    silent = Panel(title="a $x$ b_{", below="$", samples=np.zeros(8000), rate=8000)
    figure = draw([silent, Panel(title="one sample", samples=np.ones(1), rate=8000)])
    figure.canvas.draw()
    assert _panels(figure)[0].get_title(loc="left").strip() == "a $x$ b_{"
    with pytest.raises(ValueError, match="no panels"):
        draw([])
