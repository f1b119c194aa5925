"""Audio is written in the format that a file's name says."""

from __future__ import annotations

from pathlib import Path

import audio_fixtures
import numpy as np
import pytest
import soundfile

from sqbench import audio
from sqbench.errors import InputError


@pytest.mark.parametrize("extension", [*audio.WRITTEN, ".FLAC"])
def test_the_name_says_the_format(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{extension}"
    samples = audio_fixtures.babble(6.0, 48_000)  # longer than a block
    audio.write_as(path, samples, 48_000)
    found = soundfile.info(str(path))
    assert (found.format, found.subtype) == audio.WRITTEN[extension.lower()]
    assert (found.samplerate, found.channels) == (48_000, 1)
    read, rate = audio.read(path)
    assert rate == 48_000
    if found.subtype in ("FLOAT", "PCM_24"):
        np.testing.assert_allclose(read, samples, rtol=0, atol=2**-23)
    else:
        assert abs(len(read) - len(samples)) <= 3 * 1152
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["x", "x.txt", "x.m4a", ".wav"])
def test_a_name_that_says_none(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.wav, \.flac"):
        audio.write_as(tmp_path / name, np.zeros(10), 16_000)


@pytest.mark.parametrize(("extension", "rate"), [(".opus", 44_100), (".mp3", 96_000)])
def test_a_rate_that_a_format_does_not_have(extension: str, rate: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"at {rate} Hz"):
        audio.write_as(tmp_path / f"x{extension}", np.zeros(rate), rate)
    assert list(tmp_path.iterdir()) == []


def test_more_than_full_scale_is_clipped_where_a_format_has_no_floats(tmp_path: Path) -> None:
    samples = np.array([0.0, 1.5, -1.5, 0.5] * 100)
    audio.write_as(tmp_path / "x.flac", samples, 16_000)
    read, _ = audio.read(tmp_path / "x.flac")
    np.testing.assert_allclose(read, np.clip(samples, -1, 1), rtol=0, atol=2**-22)
