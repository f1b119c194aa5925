"""Training on shards: step by step what training on the cache gives, also after a kill, also on
two machines; and who evaluates may take its time."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from train_fixtures import TINY, recipe, speech_and_music

from sqcodec.train.cadence import Cadence
from sqcodec.train.data.corpus import Corpus
from sqcodec.train.data.stream import StreamCorpus
from sqcodec.train.loop import Trainer
from sqcodec.train.shards import main

WORKER = Path(__file__).parents[1] / "train_worker.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return speech_and_music(tmp_path / "train")


@pytest.fixture
def shards(folder: Path, tmp_path: Path) -> Path:
    assert main(["--data", str(folder), "--out", str(tmp_path / "shards")]) == 0
    return tmp_path / "shards"


def test_streaming_equals_the_cache_step_by_step(
    folder: Path, shards: Path, tmp_path: Path
) -> None:
    losses = []
    for kind, place in ((Corpus, folder), (StreamCorpus, shards)):
        corpus = kind([place], TINY.sample_rate, tmp_path / "cache")
        trainer = Trainer(
            TINY, recipe(data__mix_probability=0.5), corpus, tmp_path / kind.__name__,
            cadence=Cadence(every=1, evaluate_every=0),
        )  # fmt: skip
        losses.append([trainer.train_step() for _ in range(4)])
    assert losses[0] == losses[1]


def _log(out: Path) -> dict[int, dict[str, float]]:
    """Losses by step; of one step the last that was written."""
    return {
        row["step"]: {k: v for k, v in row.items() if k.startswith("loss")}
        for line in (out / "log.jsonl").read_text().splitlines()
        if (row := json.loads(line)).get("kind", "step") == "step"
    }


def _train(data: Path, out: Path, *extra: str) -> list[str]:
    return [sys.executable, str(WORKER), str(data), str(out), "--set=data.stream=1", *extra]


@pytest.mark.slow
def test_a_killed_run_on_shards_goes_on_where_it_was(shards: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(_train(shards, whole), check=True, capture_output=True)
    process = subprocess.Popen(_train(shards, killed), stderr=subprocess.DEVNULL)
    while not list(killed.glob("checkpoints/step-*.pt")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    subprocess.run(_train(shards, killed, "--resume"), check=True, capture_output=True)
    last = [
        next(iter(sorted(out.glob("checkpoints/step-*.pt"), reverse=True)))
        for out in (whole, killed)
    ]
    assert last[0].name == last[1].name
    assert _tensors(whole) == _tensors(killed)


def _tensors(out: Path) -> dict[str, bytes]:
    """Exported tensors of all networks."""
    from safetensors import safe_open

    found = {}
    for file in sorted(out.glob("*.safetensors")):
        with safe_open(file, "pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - not a mapping
                found[f"{file.name} {name}"] = opened.get_tensor(name).numpy().tobytes()
    assert found
    return found


def _port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _on_two_machines(*program: str) -> list[subprocess.Popen[str]]:
    """``torchrun`` as on two machines of one process each, by gloo."""
    port = _port()
    return [
        subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1",
             f"--node-rank={rank}", "--master-addr=127.0.0.1", f"--master-port={port}", *program],
            env={**os.environ, "GLOO_SOCKET_IFNAME": "lo"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip


@pytest.mark.slow
def test_two_machines_train_as_one(shards: Path, tmp_path: Path) -> None:
    extra = [
        "--set=data.stream=1",
        "--set=adversary.enabled=false",
        "--set=quantizer.estimator=ste",
    ]
    one, two = tmp_path / "one", tmp_path / "two"
    subprocess.run(
        [sys.executable, str(WORKER), str(shards), str(one), *extra],
        check=True, capture_output=True,
    )  # fmt: skip
    runs = _on_two_machines(str(WORKER), str(shards), str(two), *extra)
    said = [run.communicate(timeout=300)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    alone, together = _log(one), _log(two)
    assert alone.keys() == together.keys()
    first = min(alone)
    # Means of two halves: equal up to the order of additions, before steps make more of it.
    for key, value in alone[first].items():
        assert together[first][key] == pytest.approx(value, rel=1e-4), key


LATE = """
import sys, time
from datetime import timedelta
from unittest import mock

import torch
import torch.distributed as dist

from sqcodec.train import distributed

begin = dist.init_process_group
short = timedelta(seconds=3)
with mock.patch.object(dist, "init_process_group", lambda backend: begin(backend, timeout=short)):
    world = distributed.join(torch.device("cpu"))
if world.leads:
    time.sleep(8)  # evaluates
print(world.gather(world.rank if sys.argv[1] == "patient" else None))
if sys.argv[1] == "hasty":
    if world.leads:
        time.sleep(8)
    world.mean(torch.ones(1))
distributed.leave()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "status"), [("patient", 0), ("hasty", 1)])
def test_the_backends_limit_holds_for_steps_and_not_for_evaluations(
    kind: str, status: int, tmp_path: Path
) -> None:
    program = tmp_path / "late.py"
    program.write_text(LATE)
    runs = _on_two_machines(str(program), kind)
    said = [run.communicate(timeout=120)[0] for run in runs]
    assert any(run.returncode for run in runs) == bool(status), said
    assert all("[0, 1]" in text or "[None, None]" in text for text in said), said
