"""Standard output and error as they may be: closed, of another encoding, full, nobody reading."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sqbench.cli import main

NAME = "zoë [a]"
COMMANDS: dict[str, list[str]] = {
    "table": ["table", "r"],
    "markdown": ["table", "r", "--format", "markdown"],
    "latex": ["table", "r", "--format", "latex"],
    "json": ["table", "r", "--format", "json"],
    "compare": ["compare", "mulaw-8", "silence", "--results", "r"],
    "results": ["results", "list", "r"],
    "codecs": ["codecs", "dac"],
    "families": ["codecs"],
    "metrics": ["metrics"],
    "doctor": ["doctor"],
    "data": ["data", "check", "ref", "--domain", "speech"],
    "score": ["score", "--ref", "ref", "--est", "ref", "--metrics", "sdr", "--workers", "1"],
    "export": ["export", "r", "--to", "ex"],
    "recipes": ["train", "run", "--list-recipes"],
    "keys": ["train", "run", "--list-keys"],
    "help": ["run", "--help"],
    "run": [
        "run", "--codec", "mulaw-8", "--data", "mini", "--limit", "1", "--metrics", "sdr",
        "--workers", "1", "--out", "r2", "--force",
    ],
}  # fmt: skip
PLAIN = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "LC_"))}
PATHS = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
ASCII = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with results ``r`` and audio ``ref`` under a name that not every stream has."""
    import audio_fixtures

    folder = tmp_path_factory.mktemp("streams")
    wanted = ["--limit", "1", "--metrics", "sdr", "--workers", "1", "--out", str(folder / "r")]
    main(["run", "--codec", "mulaw-8", "--codec", "silence", *wanted])
    audio_fixtures.write_wav(
        folder / "ref" / f"{NAME}.wav", audio_fixtures.babble(1.0, 16000), 16000
    )
    return folder


def shell(place: Path, command: str, redirected: str, **environment: str) -> tuple[int, str, str]:
    """Exit status, standard output and error of a command with its streams redirected."""
    line = " ".join(f"'{word}'" for word in (sys.executable, "-m", "sqbench", *COMMANDS[command]))
    made = subprocess.run(
        ["bash", "-c", f"{line} {redirected}; exit ${{PIPESTATUS[0]}}"],
        cwd=place,
        env={**PLAIN, **PATHS, **environment},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )
    assert "Traceback" not in made.stderr
    assert "Exception ignored" not in made.stderr
    return made.returncode, made.stdout, made.stderr


def some(*names: str) -> list[object]:
    """These commands in the default run, the others in the slow one."""
    return [
        pytest.param(name, marks=() if name in names else pytest.mark.slow) for name in COMMANDS
    ]


@pytest.mark.parametrize("command", some("table", "data"))
@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, ASCII], ids=["io", "C"])
def test_other_encodings(place: Path, command: str, environment: dict[str, str]) -> None:
    status, out, err = shell(place, command, "", **environment)
    # Where names of files are read as ASCII too, the clip is told of; nothing else is lost.
    unread = environment is ASCII and command in ("data", "score")
    assert status == (2 if unread else 0)
    assert out.isascii()
    if unread:
        assert "UTF-8" in out + err


@pytest.mark.parametrize("command", some("table"))
def test_closed_output(place: Path, command: str) -> None:
    status, out, err = shell(place, command, ">&-")
    assert (status, out) == (0, "")
    assert "error" not in err


@pytest.mark.parametrize("command", some("run"))
def test_closed_error(place: Path, command: str) -> None:
    assert shell(place, command, "2>&-")[0] == 0


@pytest.mark.parametrize("command", some("keys"))
def test_a_reader_that_goes(place: Path, command: str) -> None:
    status, out, err = shell(place, command, "| head -c 1")
    assert status in (0, 141)  # it may be done before the reader is gone
    assert len(out) <= 1
    assert "error" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", some("table"))
def test_a_full_disk(place: Path, command: str) -> None:
    if command in ("run", "help"):  # nothing on standard output; argparse swallows what it raises
        pytest.skip("says nothing of its own there")
    status, _, err = shell(place, command, ">/dev/full")
    assert status == 1
    assert err.splitlines()[-1] == "sqbench: error: standard output: No space left on device"


def test_the_trainer_too(place: Path) -> None:
    line = f"'{sys.executable}' -m sqcodec.train --list-keys"
    for redirected, status in ((">&-", 0), (">/dev/full", 1), ("| head -c 1 >/dev/null", 141)):
        if redirected == ">/dev/full" and not Path("/dev/full").exists():
            continue
        made = subprocess.run(
            ["bash", "-c", f"{line} {redirected}; exit ${{PIPESTATUS[0]}}"],
            env={**PLAIN, **PATHS},
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode in (status, 0 if status == 141 else status)
        assert "Traceback" not in made.stderr
