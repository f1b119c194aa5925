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
    versions = [
        f"{clip}-{name}" for clip in ("01-s0", "02-e0") for name in ("0-original", "1-mulaw-8")
    ]
    assert names == sorted(
        [".sqbench-files.json", "01-s0.js", "02-e0.js", "index.html"]
        + [f"{version}.{kind}" for version in versions for kind in ("png", "wav")]
    )
    assert main([*command, "--out", str(out), "--single-file", "--match-level"]) == 0
    assert sorted(path.name for path in out.iterdir()) == [".sqbench-files.json", "index.html"]
    assert 'id="match" checked' in (out / "index.html").read_text(encoding="utf-8")


def test_some_missing(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    command = ["listen", "--codec", CHOOSY, "--codec", "mulaw-8", "--data", str(data)]
    assert main([*command, "--out", str(out)]) == 2
    printed = capsys.readouterr().err
    assert "choosy: esc50/e0.wav: sdr, mel: RuntimeError: too long" in printed
    assert "s0.wav" not in printed
    text = (out / "index.html").read_text(encoding="utf-8")
    assert text.count('class="pick"') == 5
    assert "too long for me" in text


def test_audio_that_a_run_saved(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["run", "--codec", "mulaw-8", "--data", str(data), "--metrics", "mel", "--save-audio"]
    assert main([*run, "--out", str(tmp_path / "run")]) == 0
    (saved,) = (tmp_path / "run").glob("*/audio/mulaw-8")
    out = tmp_path / "out"
    command = ["listen", "--codec", f"folder:{saved}", "--data", str(data), "--out", str(out)]
    assert main(command) == 0
    text = (out / "index.html").read_text(encoding="utf-8")
    assert text.count('class="pick"') == 4
    assert "decoded elsewhere" in text


@pytest.mark.parametrize("method", ["abx", "mushra"])
def test_a_blind_test(
    method: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["listen", "--blind", method, "--codec", "mulaw-8", "--data", str(data)]
    assert main([*command, "--seconds", "0.8", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert f"sqbench agreement FILE... --key {out / 'key/key.json'}" in printed.err
    assert {path.name for path in out.iterdir()} == {"index.html", "key"}
    text = (out / "index.html").read_text(encoding="utf-8")
    assert "mulaw" not in text
    assert "s0.wav" not in text
    # Another test never takes the place of a key.
    assert main([*command, "--seed", "1", "--out", str(out)]) == 1
    assert "without this key its answers cannot be read" in capsys.readouterr().err


def test_a_clip_that_a_blind_test_leaves_out(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["listen", "--blind", "abx", "--codec", CHOOSY, "--data", str(data)]
    assert main([*command, "--out", str(tmp_path / "out")]) == 2
    assert "left out: esc50/e0.wav: no audio of choosy" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--codec", "mulaw-8", "--pair", "a", "b"], "--pair; expected --blind abx"),
        (["--codec", "mulaw-8", "--blind", "mushra", "--trials", "3"], "found mushra"),
        (["--codec", "mulaw-8", "--seed", "3"], "--seed; expected --blind"),
        (["--codec", "mulaw-8", "--blind", "abx", "--trials", "0"], "--trials"),
        (["--codec", "mulaw-8", "--blind", "abx", "--pair", "a", "b"], "original, mulaw-8"),
        (["--codec", "folder:/no/such"], "/no/such"),
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
