"""Completion in shells: what `sqbench --print-completion` prints, tried in them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sqbench.cli import COMMANDS, completion, main


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A script for each shell, in a file."""
    pytest.importorskip("shtab", reason="needs shtab")
    folder = tmp_path_factory.mktemp("completion")
    found = {}
    for shell in completion.SHELLS:
        made = subprocess.run(
            [sys.executable, "-m", "sqbench", "--print-completion", shell],
            capture_output=True,
            text=True,
            check=True,
        )
        found[shell] = folder / f"sqbench.{shell}"
        found[shell].write_text(made.stdout)
    return found


def completed(script: Path, *words: str) -> set[str]:
    """What bash offers for the last of these words."""
    tried = f"""
source {script}
COMP_WORDS=({" ".join(map(repr, words))})
COMP_CWORD={len(words) - 1}
$(complete -p sqbench | sed 's/.*-F \\([^ ]*\\).*/\\1/')
printf "%s\\n" "${{COMPREPLY[@]}}"
"""
    made = subprocess.run(["bash", "-c", tried], capture_output=True, text=True, check=True)
    return set(made.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_options_and_names(scripts: dict[str, Path]) -> None:
    script = scripts["bash"]
    assert completed(script, "sqbench", "") >= set(COMMANDS)
    assert completed(script, "sqbench", "ta") == {"table"}
    assert completed(script, "sqbench", "table", "--colu") == {"--columns"}
    assert completed(script, "sqbench", "table", "--bold", "r") == {"rate"}
    assert completed(script, "sqbench", "run", "--codec", "mulaw") == {"mulaw-8"}
    assert "pesq" in completed(script, "sqbench", "run", "--metrics", "p")
    assert "curve" in completed(script, "sqbench", "train", "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_paths(scripts: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "my_codec.py").touch()
    for words in (["run", "--codec"], ["run", "--data"], ["run", "--weights"], ["data", "check"]):
        found = completed(scripts["bash"], "sqbench", *words, f"{tmp_path}/my_")
        assert found == {f"{tmp_path}/my_codec.py"}, words


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_it(scripts: dict[str, Path], shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    subprocess.run([shell, "-n", str(scripts[shell])], check=True)


def test_without_its_package_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    with pytest.raises(SystemExit) as stop:
        main(["--print-completion", "bash"])
    assert stop.value.code == 1
    assert "pip install shtab" in capsys.readouterr().err


def test_a_shell_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--print-completion", "cmd.exe"])
    assert stop.value.code == 1
    assert "'bash'" in capsys.readouterr().err
