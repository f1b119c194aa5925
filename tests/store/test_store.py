"""Writing, crashing, loading and merging."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import results_factory as make

from sqbench.metrics.base import Status
from sqbench.store import reader as store
from sqbench.store.writer import RunWriter, new_run_id
from sqcodec.errors import InputError

A = make.describe("codec-a")


def records(n: int = 3, value: float = 1.0) -> list[Any]:
    return [make.score(A, f"librispeech/{i}", "sdr", value + i) for i in range(n)]


def test_a_run_reads_back_as_it_was_written(tmp_path: Path) -> None:
    written = records()
    with RunWriter(tmp_path, make.run([A])) as writer:
        assert json.loads((writer.path / "run.json").read_text())["status"] == "running"
        writer.append(written[:1])
        writer.append(written[1:])
        writer.update(codecs=[{**A, "macs_g": 1.5}])
    loaded = store.load(tmp_path)
    assert loaded.records == written
    assert loaded.problems == []
    assert loaded.keys == {record["key"] for record in written}
    (run,) = loaded.runs
    assert run["status"] == "finished"
    assert run["codecs"][0]["macs_g"] == 1.5
    assert run["started"] < run["finished"]
    assert run["run_id"] == writer.path.name
    assert not list(writer.path.glob(".*"))


@pytest.mark.parametrize("list_of_paths", [False, True], ids=["path", "list"])
def test_one_run_folder_loads_alone(tmp_path: Path, list_of_paths: bool) -> None:
    first = make.write(tmp_path, make.run([A]), records(1))
    make.write(tmp_path, make.run([A]), [make.score(A, "quesst/0", "sdr", 1.0)])
    assert len(store.load([first] if list_of_paths else first).records) == 1
    assert len(store.load(tmp_path).records) == 2
    assert len(store.load([tmp_path, first]).runs) == 2


def test_runs_are_found_at_any_depth_but_not_among_clips(tmp_path: Path) -> None:
    deep = make.write(tmp_path / "a" / "b", make.run([A]), records(1))
    inner = make.write(deep, make.run([A]), [make.score(A, "quesst/0", "sdr", 1.0)])
    for hidden in (deep / "audio", tmp_path / ".trash"):
        make.write(hidden, make.run([A]), [make.score(A, "esc50/0", "sdr", 1.0)])
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    loaded = store.load(tmp_path)
    assert {run["run_id"] for run in loaded.runs} == {deep.name, inner.name}
    assert len(loaded.records) == 2
    assert loaded.problems == []


def test_a_folder_called_audio_may_hold_runs(tmp_path: Path) -> None:
    make.write(tmp_path / "audio", make.run([A]), records(1))
    assert len(store.load(tmp_path).runs) == 1


def test_a_run_and_its_copy_are_one_run(tmp_path: Path) -> None:
    path = make.write(tmp_path / "one", make.run([A]), records(2))
    copy = tmp_path / "two" / path.name
    copy.mkdir(parents=True)
    for name in ("run.json", "records.jsonl"):
        (copy / name).write_bytes((path / name).read_bytes())
    loaded = store.load(tmp_path)
    assert (len(loaded.runs), len(loaded.records)) == (1, 2)


@pytest.mark.parametrize(
    ("error", "status"),
    [(KeyboardInterrupt(), "interrupted"), (RuntimeError("broken"), "failed")],
    ids=["interrupted", "failed"],
)
def test_status_says_how_a_run_ended(tmp_path: Path, error: BaseException, status: str) -> None:
    def ends_with_the_error() -> None:
        with RunWriter(tmp_path, make.run([A])) as writer:
            writer.append(records(1))
            raise error

    with pytest.raises(type(error)):
        ends_with_the_error()
    loaded = store.load(tmp_path)
    assert loaded.runs[0]["status"] == status
    assert len(loaded.records) == 1
    if status == "failed":
        assert loaded.runs[0]["error"] == "RuntimeError: broken"


def test_run_ids_sort_by_time_and_differ() -> None:
    first, second = new_run_id(), new_run_id()
    assert first != second
    assert first[:15] <= second[:15]
    assert len(first) == len("20261121-140312-3f9a")


def test_a_missing_folder_is_an_empty_store(tmp_path: Path) -> None:
    loaded = store.load(tmp_path / "nothing")
    assert (loaded.records, loaded.runs, loaded.problems) == ([], [], [])
    assert loaded.done_keys == set()


def test_a_file_is_no_results_folder(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("x")
    with pytest.raises(InputError, match="found a file"):
        store.load(path)


def test_torn_last_line_is_skipped_and_named(tmp_path: Path) -> None:
    path = make.write(tmp_path, make.run([A]), records(3)) / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    loaded = store.load(tmp_path)
    assert len(loaded.records) == 2
    assert loaded.problems == [f"{path}:3: skipped: incomplete last line"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{broken", "not JSON"),
        ("[1, 2]", "not an object"),
        (b"\xff\xfe\x00", "skipped"),
        ('{"schema": 99}', "schema 99, this version reads up to 1"),
        ('{"schema": 1, "key": "k"}', "kind nothing"),
        ({"value": float("nan")}, "NaN is not a value"),
        ({"status": "fine"}, 'status "fine", expected failed or identical or ok or undefined'),
        ({"value": "1.0"}, 'value "1.0", expected a number or null'),
    ],
    ids=["cut", "list", "binary", "newer", "partial", "nan", "status", "text"],
)
def test_a_bad_line_in_the_middle_costs_itself_only(
    tmp_path: Path, line: str | bytes | dict[str, Any], why: str
) -> None:
    path = make.write(tmp_path, make.run([A]), records(2)) / "records.jsonl"
    first, second = path.read_bytes().splitlines()
    if isinstance(line, dict):
        line = json.dumps({**records(1)[0], **line})
    bad = line.encode() if isinstance(line, str) else line
    path.write_bytes(b"\n".join([first, bad, second, b""]))
    loaded = store.load(tmp_path)
    assert [r["utterance"] for r in loaded.records] == ["librispeech/0", "librispeech/1"]
    (problem,) = loaded.problems
    assert problem.startswith(f"{path}:2: ")
    assert why in problem


@pytest.mark.parametrize("content", [None, "{", '{"schema": 99}'], ids=["gone", "cut", "newer"])
def test_records_survive_their_run_file(tmp_path: Path, content: str | None) -> None:
    path = make.write(tmp_path, make.run([A]), records(2))
    (path / "run.json").unlink() if content is None else (path / "run.json").write_text(content)
    loaded = store.load(tmp_path)
    assert len(loaded.records) == 2
    assert loaded.runs == [{"schema": 1, "run_id": path.name, "status": "unknown"}]
    assert len(loaded.problems) == 1
    assert "run.json" in loaded.problems[0]


def test_newest_run_wins_whatever_the_order_of_folders(tmp_path: Path) -> None:
    new = make.run([A], started="2026-11-21T15:00:00+00:00")
    old = make.run([A], started="2026-11-21T14:00:00+00:00")
    make.write(tmp_path / "one", new, records(2, value=20.0))
    make.write(tmp_path / "two", old, records(3, value=10.0))
    for paths in ([tmp_path / "one", tmp_path / "two"], [tmp_path / "two", tmp_path / "one"]):
        loaded = store.load(paths)
        assert {r["utterance"]: r["value"] for r in loaded.records} == {
            "librispeech/0": 20.0,
            "librispeech/1": 21.0,
            "librispeech/2": 12.0,
        }
        assert [run["started"][11:13] for run in loaded.runs] == ["14", "15"]
        assert [r["value"] for r in loaded.records] == [12.0, 20.0, 21.0]


def test_only_failed_work_is_to_be_done_again(tmp_path: Path) -> None:
    statuses: tuple[Status, ...] = ("ok", "identical", "undefined", "failed")
    made = [
        make.score(
            A, f"librispeech/{status}", "sdr", 1.0 if status == "ok" else None, status=status
        )
        for status in statuses
    ]
    make.write(tmp_path, make.run([A]), made)
    loaded = store.load(tmp_path)
    assert loaded.keys - loaded.done_keys == {made[3]["key"]}
    make.write(tmp_path, make.run([A]), [make.score(A, "librispeech/failed", "sdr", 2.0)])
    again = store.load(tmp_path)
    assert again.done_keys == again.keys == loaded.keys


def test_nan_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    bad = [*records(1), make.score(A, "librispeech/x", "sdr", float("nan"))]
    with RunWriter(tmp_path, make.run([A])) as writer:
        with pytest.raises(ValueError, match="librispeech/x, sdr"):
            writer.append(bad)
        assert (writer.path / "records.jsonl").read_bytes() == b""


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    out = tmp_path / "file" / "results"
    with pytest.raises(InputError) as error, RunWriter(out, make.run([A])):
        pass
    assert str(out) in str(error.value)
    assert f"{tmp_path / 'file'} is a file" in str(error.value)
    assert "--out" in str(error.value)
    assert "disk space" not in str(error.value)


def test_a_full_disk_is_an_input_error_and_leaves_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with RunWriter(tmp_path, make.run([A])) as writer:
        writer.append(records(2))
        with monkeypatch.context() as full:
            full.setattr(os, "fsync", no_space)
            with pytest.raises(InputError, match="No space left on device") as error:
                writer.append([make.score(A, "quesst/0", "sdr", 1.0)])
        assert "records.jsonl" in str(error.value)
        writer.append([make.score(A, "quesst/1", "sdr", 1.0)])
    loaded = store.load(tmp_path)
    assert loaded.problems == []
    assert [r["utterance"] for r in loaded.records] == [
        "librispeech/0",
        "librispeech/1",
        "quesst/1",
    ]


def test_what_was_appended_survives_kill(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import itertools, sys
        from pathlib import Path
        import results_factory as make
        from sqbench.store.writer import RunWriter

        codec = make.describe("codec-a")
        with RunWriter(Path(sys.argv[1]), make.run([codec])) as writer:
            for i in itertools.count():
                writer.append([make.score(codec, f"librispeech/{i}", "sdr", 1.0)] * 50)
                print(i, flush=True)
        """
    )
    tests = str(Path(make.__file__).parent)
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": tests},
    )
    assert child.stdout is not None
    seen = [int(child.stdout.readline()) for _ in range(20)]
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    loaded = store.load(tmp_path)
    assert {f"librispeech/{i}" for i in seen} <= {r["utterance"] for r in loaded.records}
    assert loaded.runs[0]["status"] == "running"
    assert len(loaded.problems) <= 1
