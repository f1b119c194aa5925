"""A run on a cluster gives the records of one machine, to the byte but for times."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import broken_parts
import pytest
import soundfile
from cluster_fixtures import clips, command, run, written

pytestmark = pytest.mark.ray
pytest.importorskip("ray", reason="needs ray (make ray)")

STORE = 100 << 20
"""Bytes of a node's object store: as little as Ray takes."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips(tmp_path_factory.mktemp("data"))


@contextmanager
def cluster(nodes: int) -> Iterator[Any]:
    """A local cluster of so many nodes of one processor; nothing is left of it."""
    from ray.cluster_utils import Cluster

    made = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False,
        },
    )  # fmt: skip
    try:
        for _ in range(nodes - 1):
            made.add_node(num_cpus=1, object_store_memory=STORE)
        yield made
    finally:
        made.shutdown()


def _lines(out: Path) -> int:
    return sum(len(file.read_text().splitlines()) for file in out.glob("*/records.jsonl"))


def _until(process: subprocess.Popen[str], out: Path, lines: int) -> None:
    while _lines(out) < lines:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)


@pytest.fixture(scope="module")
def two() -> Iterator[Any]:
    with cluster(2) as made:
        yield made


def test_equal_to_one_machine_with_failures_and_audio(data: Path, tmp_path: Path, two: Any) -> None:
    """A clip that cannot be read, a codec that raises, a metric that kills its process."""
    choosy, killer = f"{broken_parts.__file__}:Choosy", f"{broken_parts.__file__}:Killer"
    asked: list[object] = ["--codec", "mulaw-8", "--codec", choosy]
    asked += ["--data", data, "--metrics", f"sdr,mel,pesq,{killer}", "--save-audio", "--out"]
    assert run(*asked, tmp_path / "one", "--workers", 1).returncode == 2
    assert run(*asked, tmp_path / "two", "--workers", 2).returncode == 2
    done = run(*asked, tmp_path / "ray", "--engine", f"ray://{two.address}")
    assert done.returncode == 2, done.stderr
    one = written(tmp_path / "one")
    assert len(one) == 2 * (9 * 5 + 4 * 4)  # pesq is for speech
    reasons = " ".join(str(record["reason"]) for record in one if record["status"] == "failed")
    assert "too long for me" in reasons
    assert "SIGSEGV" in reasons
    assert "s4.wav" in reasons
    assert written(tmp_path / "two") == one
    assert written(tmp_path / "ray") == one
    saved = {
        name: {
            # Samples: libsndfile writes the time of day beside them.
            str(file).partition("/audio/")[2]: soundfile.read(file)[0].tobytes()
            for file in (tmp_path / name).glob("*/audio/**/*.wav")
        }
        for name in ("one", "ray")
    }
    assert saved["one"]
    assert saved["one"] == saved["ray"]
    assert "too long for me" in next((tmp_path / "ray").glob("*/logs/*.log")).read_text()


def test_evaluators_on_two_nodes(tmp_path: Path, two: Any) -> None:
    """A model that learns from the originals, and one in worker processes."""
    pytest.importorskip("sklearn")
    pytest.importorskip("resemblyzer")
    asked = ["--codec", "mulaw-8,identity", "--data", "mini", "--limit", 5, "--suite", "all"]
    asked += ["--metrics", "sdr", "--evaluators", "asv=resemblyzer,aec=probe-event", "--out"]
    assert run(*asked, tmp_path / "one").returncode == 0
    done = run(*asked, tmp_path / "ray", "--engine", f"ray://{two.address}")
    assert done.returncode == 0, done.stderr
    assert written(tmp_path / "ray") == written(tmp_path / "one")
    kinds = [record["kind"] for record in written(tmp_path / "one")]
    assert kinds.count("observation") == 3 * (5 + 5)


def test_a_codec_that_does_not_load_is_told_as_on_one_machine(data: Path, tmp_path: Path) -> None:
    asked = ["--codec", "sqcodec-3k", "--weights", tmp_path / "nowhere", "--data", data]
    here = run(*asked, "--out", tmp_path / "one")
    there = run(*asked, "--out", tmp_path / "ray", "--engine", "ray")
    assert here.returncode == there.returncode == 1
    last = [done.stderr.strip().splitlines()[-1] for done in (here, there)]
    assert last[0] == last[1]
    assert "nowhere" in last[0]


def test_a_folder_of_decoded_audio_is_measured_by_the_nodes(
    data: Path, tmp_path: Path, two: Any
) -> None:
    asked = ["--codec", f"folder:{data}:name=theirs", "--data", data, "--metrics", "mel", "--out"]
    run(*asked, tmp_path / "one")
    run(*asked, tmp_path / "ray", "--engine", f"ray://{two.address}")
    assert len(written(tmp_path / "one")) == 13 * 2
    assert written(tmp_path / "ray") == written(tmp_path / "one")


def test_nothing_at_the_address(data: Path, tmp_path: Path) -> None:
    done = run("--codec", "mulaw-8", "--data", data, "--out", tmp_path, "--engine", "ray://[::1]:1")
    assert done.returncode == 1
    assert "ray start" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_node_that_is_killed_costs_time_only(tmp_path: Path) -> None:
    data = clips(tmp_path / "many", 32, 4)
    slow = f"{broken_parts.__file__}:Slow"
    asked = ["--codec", slow, "--data", data, "--metrics", "sdr,mel", "--batch-size", 1, "--out"]
    assert run(*asked, tmp_path / "one").returncode == 2
    with cluster(2) as made:
        victim = made.list_all_nodes()[-1]
        process = subprocess.Popen(
            command(*asked, tmp_path / "ray", "--engine", f"ray://{made.address}"),
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        _until(process, tmp_path / "ray", 12)
        made.remove_node(victim, allow_graceful=False)
        _, said = process.communicate(timeout=240)
    assert process.returncode == 2, said
    assert "lost on" in said
    assert written(tmp_path / "ray") == written(tmp_path / "one")


def test_a_node_that_joins_is_given_work(data: Path, tmp_path: Path) -> None:
    slow = f"{broken_parts.__file__}:Slow"
    with cluster(1) as made:
        process = subprocess.Popen(
            command("--codec", slow, "--data", clips(tmp_path / "many", 40, 0), "--metrics", "sdr",
                    "--batch-size", 1, "--out", tmp_path / "ray",
                    "--engine", f"ray://{made.address}"),
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        _until(process, tmp_path / "ray", 4)
        made.add_node(num_cpus=1, object_store_memory=STORE)
        _, said = process.communicate(timeout=240)
    assert process.returncode == 2, said
    assert said.count("clips coded") == 2


@pytest.mark.skipif(
    os.geteuid() != 0
    or shutil.which("unshare") is None
    or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0,
    reason="needs a mount namespace, to hide the data from a node",
)
def test_a_node_without_the_files_is_sent_their_bytes(tmp_path: Path) -> None:
    data = clips(tmp_path / "data")
    slow = f"{broken_parts.__file__}:Slow"
    asked = ["--codec", slow, "--data", data, "--metrics", "sdr", "--batch-size", 1, "--out"]
    assert run(*asked, tmp_path / "one").returncode == 2
    with cluster(1) as made:
        # Ray's own `ray start`, in a mount namespace where the folder of clips is empty.
        start = (
            f"mount -t tmpfs none {data} && exec {sys.executable} -m ray.scripts.scripts start "
            f"--address {made.address} --num-cpus 1 --object-store-memory {STORE} --block"
        )
        node = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", start],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            _joined(made, 2)
            done = run(*asked, tmp_path / "ray", "--engine", f"ray://{made.address}")
        finally:
            os.killpg(node.pid, signal.SIGTERM)
            node.wait(30)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("clips coded") == 2
    assert written(tmp_path / "ray") == written(tmp_path / "one")


def _joined(made: Any, count: int) -> None:
    """Wait until the cluster has so many nodes."""
    import ray

    ray.init(address=made.address, logging_level="ERROR", log_to_driver=False)
    try:
        deadline = time.monotonic() + 60
        while sum(node["Alive"] for node in ray.nodes()) < count:
            assert time.monotonic() < deadline, "the node did not join"
            time.sleep(0.2)
    finally:
        ray.shutdown()


def test_interrupted_it_leaves_no_actors(data: Path, tmp_path: Path, two: Any) -> None:
    slow = f"{broken_parts.__file__}:Slow"
    process = subprocess.Popen(
        command("--codec", slow, "--data", data, "--metrics", "sdr", "--batch-size", 1,
                "--out", tmp_path / "ray", "--engine", f"ray://{two.address}"),
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    _until(process, tmp_path / "ray", 4)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "what was finished is kept" in said
    import ray
    from ray._private import state

    ray.init(address=two.address, logging_level="ERROR", log_to_driver=False)
    try:
        deadline = time.monotonic() + 20
        while alive := [a for a in state.actors().values() if a["State"] != "DEAD"]:
            assert time.monotonic() < deadline, alive
            time.sleep(0.2)
    finally:
        ray.shutdown()
    done = run("--codec", slow, "--data", data, "--metrics", "sdr", "--out", tmp_path / "ray")
    assert "were there already" in done.stderr
