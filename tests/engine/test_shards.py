"""A run in parts: every clip in one part, and the parts joined are the run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import audio_fixtures
import cluster_fixtures
import pytest
from cluster_fixtures import written

from sqbench.cli import main
from sqbench.data.resolve import open_source
from sqbench.engine.shards import Shard, seconds_of
from sqbench.errors import InputError
from sqbench.store import manage

PAGE = Path(__file__).parents[2] / "docs" / "cluster.md"


def table(out: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    capsys.readouterr()
    assert main(["table", str(out), *more]) == 0
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speech and noises of several lengths, one of them unreadable."""
    return cluster_fixtures.clips(tmp_path_factory.mktemp("data"))


def test_parts_share_out_every_clip_by_length(data: Path) -> None:
    clips = list(open_source(str(data)).utterances())
    parts = [Shard(index, 3).share(clips) for index in (1, 2, 3)]
    assert sorted(name for part in parts for name in part) == sorted(clip.id for clip in clips)
    assert [Shard(index, 3).share(reversed(clips)) for index in (1, 2, 3)] == parts
    length = {clip.id: seconds_of(clip) for clip in clips}
    loads = [sum(length[name] for name in part) for part in parts]
    # No part could be that much ahead and still have been given the last clip.
    assert max(loads) - min(loads) <= max(length.values())
    assert max(loads) - min(loads) < 0.25 * sum(loads) / 3


@pytest.mark.parametrize("text", ["0/8", "9/8", "3", "3/", "a/b", "-1/2", "1/0"])
def test_what_is_no_part(text: str) -> None:
    with pytest.raises(InputError, match="INDEX/COUNT"):
        Shard.parse(text)


def test_joined_parts_are_the_run(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "--codec", "mulaw-8,resample-8k", "--data", str(data)]
    command += ["--metrics", "sdr,mel", "--quiet", "--out"]
    assert main([*command, str(tmp_path / "one")]) == 2
    folders = [str(tmp_path / f"part-{index}") for index in (1, 2, 3)]
    for index, folder in enumerate(folders, 1):
        assert main([*command, folder, "--shard", f"{index}/3"]) in (0, 2)
    with pytest.raises(InputError, match=r"none of .*: 2/3"):
        manage.merge([Path(folders[0]), Path(folders[2])], tmp_path / "some")
    assert main(["results", "merge", *folders, "--to", str(tmp_path / "all")]) == 0
    assert written(tmp_path / "all") == written(tmp_path / "one")
    assert len(written(tmp_path / "all")) == 2 * 13 * 3
    for form in ("rich", "csv", "json", "latex"):
        whole = table(tmp_path / "one", capsys, "--format", form)
        assert table(tmp_path / "all", capsys, "--format", form) == whole


def test_a_part_that_took_two_runs_and_one_without_clips(data: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    for i in range(2):
        audio_fixtures.write_wav(few / f"c{i}.wav", audio_fixtures.babble(0.5, seed=i))
    command = ["run", "--codec", "mulaw-8", "--data", str(few), "--domain", "speech"]
    command += ["--metrics", "mel", "--quiet", "--out"]
    assert main([*command, str(tmp_path / "one")]) == 0
    for index in (1, 2, 3):
        assert main([*command, str(tmp_path / str(index)), "--shard", f"{index}/3"]) == 0
    # Cut off after its first record, then run again: a second run has the rest.
    (file,) = (tmp_path / "1").glob("*/records.jsonl")
    file.write_text(file.read_text().splitlines(keepends=True)[0])
    assert main([*command, str(tmp_path / "1"), "--shard", "1/3"]) == 0
    assert len(list((tmp_path / "1").glob("*/records.jsonl"))) == 2
    parts = [str(tmp_path / str(index)) for index in (1, 2, 3)]
    assert main(["results", "merge", *parts, "--to", str(tmp_path / "all")]) == 0
    assert written(tmp_path / "all") == written(tmp_path / "one")


def test_saved_audio_is_joined_too(data: Path, tmp_path: Path) -> None:
    command = ["run", "--codec", "mulaw-8", "--data", str(data), "--metrics", "mel", "--quiet"]
    for index in (1, 2):
        out = str(tmp_path / str(index))
        main([*command, "--save-audio", "--shard", f"{index}/2", "--out", out])
    parts = [str(tmp_path / str(index)) for index in (1, 2)]
    assert main(["results", "merge", *parts, "--to", str(tmp_path / "all")]) == 0
    assert len(list((tmp_path / "all").glob("*/audio/mulaw-8/*/*.wav"))) == 12


def test_applications_in_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Probes learn from all originals, trials pair clips of all parts; each is heard once."""
    pytest.importorskip("sklearn")
    command = ["run", "--codec", "mulaw-8,silence", "--data", "mini", "--suite", "application"]
    command += ["--evaluators", "aec=probe-event", "--limit", "10", "--quiet", "--out"]
    assert main([*command, str(tmp_path / "one")]) == 0
    for index in (1, 2):
        assert main([*command, str(tmp_path / str(index)), "--shard", f"{index}/2"]) == 0
    parts = [str(tmp_path / str(index)) for index in (1, 2)]
    assert main(["results", "merge", *parts, "--to", str(tmp_path / "all")]) == 0
    assert written(tmp_path / "all") == written(tmp_path / "one")
    assert len(written(tmp_path / "all")) == 10 * (2 + 3)
    whole = table(tmp_path / "one", capsys, "--format", "json")
    assert table(tmp_path / "all", capsys, "--format", "json") == whole


def test_the_sbatch_file_runs_for_each_index(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = re.search(r"```sbatch\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    (tmp_path / "evaluate.sbatch").write_text(found[1])
    array = re.search(r"--array=1-(\d+)", found[1])
    assert array is not None
    program = tmp_path / "bin" / "sqbench"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m sqbench "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    for name, value in {"CODECS": "mulaw-8", "DATA": str(data), "DEVICE": "cpu"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", array[1])
    count = int(array[1])
    for index in range(1, count + 1):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(index))
        subprocess.run(["bash", "evaluate.sbatch"], cwd=tmp_path, check=False, capture_output=True)
    parts = [str(tmp_path / f"results/shard-{index}") for index in range(1, count + 1)]
    assert main(["results", "merge", *parts, "--to", str(tmp_path / "whole")]) == 0
    command = ["run", "--codec", "mulaw-8", "--data", str(data), "--suite", "signal", "--quiet"]
    assert main([*command, "--out", str(tmp_path / "one")]) == 2
    assert written(tmp_path / "whole") == written(tmp_path / "one")
