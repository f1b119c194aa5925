"""A codec in a package of its own: installed with pip, listed and run, with no change here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import audio_fixtures
import pytest

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "someone-else"
version = "1.2"

[project.entry-points."sqbench.codecs"]
halved = "someone_else:Halved"
points = "someone_else:POINTS"
"""

MODULE = """
from dataclasses import replace

from sqbench_codecs import CodecEntry, CodecSpec
from sqbench_codecs.controls import MuLaw8

class Halved(MuLaw8):
    spec = CodecSpec(name="halved", sample_rate=8000, frame_rate=8000.0, codebook_sizes=(256,),
                     bitrate_bps=64000.0)

POINTS = [
    CodecEntry(spec=replace(Halved.spec, name=f"point-{i}"), target=Halved) for i in (1, 2)
]
"""


@pytest.mark.slow
def test_an_installed_package_joins_the_registry(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    package = tmp_path / "package"
    (package / "someone_else").mkdir(parents=True)
    (package / "pyproject.toml").write_text(PROJECT)
    (package / "someone_else" / "__init__.py").write_text(MODULE)
    site = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
         "--no-build-isolation", "--target", str(site), str(package)],
        check=True, capture_output=True,
    )  # fmt: skip
    paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}

    def sqbench(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "sqbench", *words], env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    listed = {entry["name"]: entry for entry in json.loads(sqbench("codecs", "--format", "json"))}
    assert {"halved", "point-1", "point-2", "sqcodec-6k"} <= listed.keys()
    assert listed["halved"]["readiness"] == "ready"
    assert "halved" in sqbench("codecs")

    data = audio_fixtures.slt_folder(tmp_path / "data", clips=1)
    out = tmp_path / "out"
    sqbench("run", "--codec", "halved", "--codec", "point-2", "--data", str(data), "--metrics",
            "sdr", "--out", str(out))  # fmt: skip
    table = sqbench("table", str(out), "--format", "csv")
    assert "halved" in table
    assert "point-2" in table
    (run,) = [json.loads(path.read_text()) for path in out.rglob("run.json")]
    assert run["codecs"][0]["settings"]["distribution"] == "someone-else 1.2"
