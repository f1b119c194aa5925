"""The picture of a run's course."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sqcodec.train.curve import main, series, smooth

pytest.importorskip("matplotlib", reason="the extra 'train' is not installed")


def write(run: Path, rows: list[dict[str, Any]]) -> Path:
    run.mkdir()
    (run / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return run


def step(number: int) -> dict[str, Any]:
    values = {"loss": 9.0 / number, "l1": 0.1, "stft": 1.0, "snr_db": 0.1 * number, "lr": 1e-4}
    return {"kind": "step", "step": number, **values}


def report(number: int, **values: float | None) -> dict[str, Any]:
    return {"kind": "report", "step": number, "val_snr_db_speech": 1.0, **values}


@pytest.mark.parametrize(
    ("reports", "places"),
    [([], 4), ([report(10), report(20, val_sdr=3.0, val_pesq=None, val_stoi=0.5)], 6)],
    ids=["steps alone", "with metrics"],
)
def test_a_log_becomes_an_image(reports: list[dict[str, Any]], places: int, tmp_path: Path) -> None:
    from matplotlib.image import imread

    run = write(tmp_path / "run", [step(i) for i in range(1, 21)] + reports)
    assert main([str(run)]) == 0
    height, width = imread(run / "curve.png").shape[:2]
    assert width > 1000
    assert height == pytest.approx(width * places / 4 * 5.8 / 9.2, rel=0.01)
    assert main([str(run), "-o", str(tmp_path / "curve.pdf")]) == 0
    assert (tmp_path / "curve.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("rows", "out", "words"),
    [
        (None, "x.png", "no such file"),
        ([], "x.png", "at least one logged step; found 0 rows"),
        ([report(1)], "x.png", "found 1 rows"),
        ([step(1)], "x.mp3", "mp3"),
        ([step(1)], "no/such/place.png", "an image to write"),
    ],
    ids=["no log", "empty log", "no steps", "no image format", "no folder"],
)
def test_what_cannot_be_drawn(
    rows: list[dict[str, Any]] | None,
    out: str,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "run" if rows is None else write(tmp_path / "run", rows)
    assert main([str(run), "-o", str(tmp_path / out)]) == 1
    assert words in capsys.readouterr().err


def test_running_means_use_fewer_values_at_the_ends() -> None:
    values = np.arange(60.0)
    found = smooth(values)  # over 5 % of 60: the neighbours on both sides
    assert found[0] == 0.5
    assert found[1:-1] == pytest.approx(values[1:-1])
    assert smooth(np.array([])).shape == (0,)


def test_rows_without_a_value_are_left_out() -> None:
    x, y = series([{"step": 1, "a": 5.0}, {"step": 2, "a": None}, {"step": 3}], "a")
    assert (x.tolist(), y.tolist()) == ([1.0], [5.0])
