"""The commands of docs/listening.md, run as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import blind_tests
import pytest

pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")
pytest.importorskip("av", reason="the extra 'opus' is not installed")

from sqbench.cli import main
from sqbench.listening.blind import key as keys

PAGE = Path(__file__).parents[2] / "docs/listening.md"


@pytest.mark.slow
def test_commands_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    lines = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert len(lines) == 8
    for words in lines:
        if words[0] == "pip":
            continue
        if words[1:3] == ["agreement", "abx-anna.json"]:
            key = keys.read(tmp_path / "test-abx/key/key.json")
            for name in ("anna", "ben"):
                blind_tests.abx_file(tmp_path / f"abx-{name}.json", key, name, lambda n: n % 3 > 0)
        if words[1:3] == ["agreement", "mushra-anna.json"]:
            key = keys.read(tmp_path / "test-mushra/key/key.json")
            for name in ("anna", "ben"):
                blind_tests.mushra_file(
                    tmp_path / f"mushra-{name}.json", key, name,
                    lambda system, _: 95.0 if system == "original" else 40.0,
                )  # fmt: skip
        assert main(words[1:]) == 0, words
    assert (tmp_path / "listen/index.html").is_file()
    assert (tmp_path / "listen/one/index.html").is_file()
