"""``sqbench listen``: exit statuses, and what is printed where."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import audio_fixtures
import broken_parts
import pytest

pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")

from sqbench.cli import main

CHOOSY = f"{broken_parts.__file__}:Choosy"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The choosy codec takes the speech clip, and not the noise.
    return audio_fixtures.slt_folder(tmp_path_factory.mktemp("data"), clips=1)


def test_all_there(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    command = ["listen", "--codec", "mulaw-8", "--data", str(data), "--seconds", "0.8"]
    assert main([*command, "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert str(out / "index.html") in printed.err
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        "01-s0-0-original.wav", "01-s0-1-mulaw-8.wav", "01-s0.png",
        "02-e0-0-original.wav", "02-e0-1-mulaw-8.wav", "02-e0.png", "index.html",
    ]  # fmt: skip


def test_some_missing(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    command = ["listen", "--codec", CHOOSY, "--codec", "mulaw-8", "--data", str(data)]
    assert main([*command, "--out", str(out)]) == 2
    printed = capsys.readouterr().err
    assert "choosy: esc50/e0.wav: sdr, mel: RuntimeError: too long" in printed
    assert "s0.wav" not in printed
    text = (out / "index.html").read_text(encoding="utf-8")
    assert text.count("<audio") == 5
    assert "too long for me" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--codec", "mulaw-9"], "Did you mean"),
        (["--codec", "mulaw-8", "--data", "/no/such"], "/no/such"),
        (["--codec", "mulaw-8", "--clips", "0"], "at least 1"),
        (["--codec", "mulaw-8", "--seconds", "0"], "seconds"),
        (["--codec", "mulaw-8", "--utterance", "music/gitar.flac"], "music/guitar.flac"),
        (["--codec", "sqcodec-6k", "--weights", "/no/such"], "/no/such"),
        ([], "--codec"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_run(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(["listen", "--out", str(tmp_path / "out"), *arguments])
    except SystemExit as stop:
        status = int(stop.code or 0)
    assert status == 1
    printed = capsys.readouterr().err
    assert words in printed
    assert "Traceback" not in printed
    assert not list(tmp_path.glob("out/*"))


def test_a_place_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["listen", "--codec", "mulaw-8", "--out", str(tmp_path / "file/below")]) == 1
    assert "file is a file" in capsys.readouterr().err


def test_missing_matplotlib_is_named_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name)
    )
    assert main(["listen", "--codec", "mulaw-8", "--out", str(tmp_path / "out")]) == 1
    assert "pip install 'matplotlib>=3.8'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
