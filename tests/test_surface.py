"""What ``import sqbench`` offers: names, examples, progress."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import audio_fixtures
import pytest

import sqbench
import sqbench.api
import sqbench.report.results


def test_completion_shows_the_public_names() -> None:
    assert dir(sqbench) == sorted(sqbench.__all__)
    assert {"evaluate", "score", "Results", "InputError"} <= set(dir(sqbench))
    for name in dir(sqbench):
        assert getattr(sqbench, name) is not None
    with pytest.raises(AttributeError, match="no_such"):
        sqbench.no_such  # noqa: B018


def test_listing_the_names_imports_nothing_heavy() -> None:
    script = (
        "import sys, sqbench\ndir(sqbench)\n"
        "print(sorted({'torch', 'pandas', 'numpy', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("module", [sqbench.api, sqbench.report.results])
def test_examples_run(module: object) -> None:
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS)  # type: ignore[arg-type]
    assert found.attempted > 2
    assert found.failed == 0


def test_evaluate_says_how_far_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(audio_fixtures.slt_folder(tmp_path / "data", clips=2))
    sqbench.evaluate("mulaw-8", data, metrics=["mel"], workers=1)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("loading mulaw-8 ...\n")  # at once: a network takes a while
    assert "mulaw-8: 4 clips to do" in shown.err
    assert "mulaw-8: 4/4 in" in shown.err
    sqbench.evaluate("mulaw-8", data, metrics=["mel"], workers=1, progress=False)
    assert capsys.readouterr().err == ""


def test_evaluate_says_what_has_no_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audio_fixtures.write_wav(tmp_path / "data" / "a.wav", audio_fixtures.babble(1.0))
    (tmp_path / "data" / "b.wav").write_bytes(b"no audio")
    results = sqbench.evaluate(
        "mulaw-8", str(tmp_path / "data"), domain="speech", metrics=["mel"], workers=1
    )
    assert "no score: mulaw-8:" in capsys.readouterr().err
    assert sorted(results.frame["status"]) == ["failed", "ok"]
