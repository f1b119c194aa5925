"""What a spectrogram shows is what is in the audio, and the same in every panel."""

from __future__ import annotations

import io

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")

from PIL import Image

from sqbench.listening.spectrogram import (
    RANGE_DB,
    ROWS,
    Panel,
    Spectrograms,
    draw,
    mel,
    png,
)


def _tone(hz: float, rate: int, seconds: float = 1.0, amplitude: float = 0.5) -> Panel:
    t = np.arange(round(seconds * rate)) / rate
    return Panel(samples=amplitude * np.sin(2 * np.pi * hz * t), rate=rate)


def _edges(drawn: Spectrograms) -> np.ndarray:
    """Frequencies between the rows, in Hz, of the axis as it is drawn."""
    return 700 * np.expm1(np.linspace(0, mel(drawn.top_hz), ROWS + 1))


@pytest.mark.parametrize("hz", [200.0, 1000.0, 3500.0, 7000.0])
def test_a_tone_is_where_it_belongs_at_its_level_throughout(hz: float) -> None:
    drawn = draw([_tone(hz, 16000)])
    (levels,), edges = drawn.levels, _edges(drawn)
    row = int(np.searchsorted(edges, hz)) - 1
    # Also in the first and the last step, where a window beyond the clip would show a click.
    assert np.all(np.abs(levels.argmax(axis=0) - row) <= 2)
    widest = max(0.0, 10 * np.log10((edges[row + 1] - edges[row]) / 25))  # spread over a row
    assert levels.max() == pytest.approx(20 * np.log10(0.5) - widest, abs=2)
    far = np.abs(edges[:-1] - hz) > 700
    assert levels[far].max() < levels.max() - 40


def test_panels_share_axes_and_colours() -> None:
    drawn = draw([_tone(1000, 48000), _tone(1000, 16000, 0.5), _tone(1000, 8000, amplitude=0.001)])
    assert len({levels.shape for levels in drawn.levels}) == 1
    assert drawn.seconds == pytest.approx(1.0, abs=0.005)
    # The second ends in the middle: nothing can be there.
    ends = np.isfinite(drawn.levels[1]).any(axis=0).sum() / drawn.levels[1].shape[1]
    assert ends == pytest.approx(0.5, abs=0.01)
    loudest = [levels[np.isfinite(levels)].max() for levels in drawn.levels]
    assert loudest[0] == pytest.approx(drawn.loudest_db, abs=1)
    np.testing.assert_allclose(loudest[0] - np.array(loudest), [0, 0, 53.98], atol=0.5)


def test_above_half_the_rate_there_is_nothing() -> None:
    noise = np.random.default_rng(0).standard_normal(16000) * 0.1
    drawn = draw([Panel(samples=noise, rate=16000), _tone(1000, 8000)])
    wide, narrow = drawn.levels
    beyond = _edges(drawn)[:-1] > 4000
    assert beyond.any()
    assert np.isfinite(wide).all()
    assert np.isnan(narrow[beyond]).all()
    assert np.isfinite(narrow[~beyond]).all()


def test_the_axis_ends_above_what_there_is() -> None:
    assert 5000 < draw([_tone(5200, 48000)]).top_hz < 10000
    drawn = draw([_tone(100, 48000)])
    assert drawn.top_hz == pytest.approx(4000)
    assert drawn.ticks()[0] == ("0", 0.0)
    name, place = drawn.ticks()[-1]
    assert name == "4"
    assert place == pytest.approx(1.0)


def test_a_picture_has_the_levels_as_colours_and_nothing_as_transparent() -> None:
    levels = np.full((ROWS, 4), -10.0 - RANGE_DB, np.float32)
    levels[0, 0] = -10.0  # the lowest frequency at the full level
    levels[5, 1] = np.nan
    levels[7, 2] = -500.0
    image = Image.open(io.BytesIO(png(levels, -10.0))).convert("RGBA")
    pixels = np.asarray(image)
    assert pixels.shape == (ROWS, 4, 4)
    assert pixels[-1, 0].min() > 150  # magma's brightest
    assert pixels[-6, 1, 3] == 0
    assert pixels[-8, 2].tolist() == pixels[0, 3].tolist()  # below the range is its end
    assert (pixels[..., 3] == 0).sum() == 1


def test_odd_input() -> None:
    silent = Panel(samples=np.zeros(8000), rate=8000)
    drawn = draw([silent, Panel(samples=np.ones(1), rate=8000)])
    assert all(png(levels, drawn.loudest_db).startswith(b"\x89PNG") for levels in drawn.levels)
    with pytest.raises(ValueError, match="no panels"):
        draw([])
