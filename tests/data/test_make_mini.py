from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sqbench import audio
from sqbench.data.mini import MiniSource

ROOT = Path(__file__).resolve().parents[2]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [{**row, "sha256": ""} for row in csv.DictReader(file)]


@pytest.mark.slow
def test_the_script_makes_the_committed_set(tmp_path: Path) -> None:
    missing = [tool for tool in ("flite", "espeak-ng") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed")
    command = [sys.executable, "-m", "tools.make_mini", "--out", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    committed = MiniSource().path
    assert rows(tmp_path / "manifest.csv") == rows(committed)
    for row in rows(committed):
        made, _ = audio.read(tmp_path / row["path"])
        kept, _ = audio.read(committed.parent / row["path"])
        # Another FLAC or numpy build may round differently; the sound may not change.
        assert np.max(np.abs(made - kept)) <= 2 / 32768, row["path"]
