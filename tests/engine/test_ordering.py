"""Results in the order of the work; and what is left where work ends early."""

from __future__ import annotations

import itertools
import signal
import subprocess
import time
from pathlib import Path

import audio_fixtures
import broken_parts
import pytest
from cluster_fixtures import clips, command, run, written

from sqbench.data.base import Utterance
from sqbench.engine.ordering import InOrder
from sqbench.errors import InputError


def test_any_order_in_one_order_out() -> None:
    for order in itertools.permutations(range(5)):
        held: InOrder[int] = InOrder()
        out = [one for position in order for one in held.put(position, 10 * position)]
        assert out == [0, 10, 20, 30, 40]
        assert held.rest() == []
        assert held.released == 5


def test_what_waits_is_given_up_in_order() -> None:
    held: InOrder[str] = InOrder()
    assert held.put(3, "d") == held.put(1, "b") == []
    assert 3 in held
    assert 0 not in held
    assert held.rest() == ["b", "d"]


@pytest.mark.parametrize("workers", [1, 3])
def test_records_lie_in_the_order_of_the_clips(tmp_path: Path, workers: int) -> None:
    """Also where one metric of a clip kills its worker, and another clip cannot be read."""
    data = clips(tmp_path / "data")
    killer = f"{broken_parts.__file__}:Killer"
    asked = ["--codec", "mulaw-8", "--data", data, "--metrics", f"mel,{killer}"]
    assert run(*asked, "--workers", workers, "--out", tmp_path / "out").returncode == 2
    found = written(tmp_path / "out")
    assert len(found) == 3 * 13
    names = [record["utterance"] for record in found]
    assert names == sorted(names)
    assert [record["metric"] for record in found] == [None, "mel", "killer"] * 13


def test_interrupted_it_writes_what_waited_for_its_turn(tmp_path: Path) -> None:
    """The first clip takes long to measure, the others are done before it."""
    metric = tmp_path / "late.py"
    metric.write_text(
        "import time\nfrom sqbench.metrics.base import Metric\n\n"
        "class Late(Metric):\n    name = 'late'\n    version = 1\n    direction = 'higher'\n"
        "    bounds = (None, None)\n\n    def measure(self, pair):\n"
        "        if len(pair.reference) > 16000:\n            time.sleep(600)\n"
        "        with open(__file__ + '.done', 'a') as file:\n            file.write('x')\n"
        "        return 1.0\n"
    )
    for i in range(6):
        clip = audio_fixtures.babble(1.5 if i == 0 else 0.5, seed=i)
        audio_fixtures.write_wav(tmp_path / f"data/c{i}.wav", clip)
    process = subprocess.Popen(
        [*command("--codec", "mulaw-8", "--data", tmp_path / "data", "--domain", "speech",
                  "--metrics", f"{metric}:Late", "--workers", 2, "--out", tmp_path / "out",
                  "--debug", "--batch-size", 1)],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    # One worker has the first clip, the other gets the next when its last result was taken.
    marks, deadline = metric.with_name("late.py.done"), time.monotonic() + 120
    while not marks.exists() or len(marks.read_text()) < 5:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    assert written(tmp_path / "out") == []
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    kept = {record["utterance"] for record in written(tmp_path / "out")}
    assert len(kept) >= 4
    assert kept <= {f"c{i}.wav" for i in range(1, 6)}


def test_a_stretch_of_bytes_is_held_to_its_hash(tmp_path: Path) -> None:
    file = audio_fixtures.write_wav(tmp_path / "a.wav", audio_fixtures.babble(1.0))
    about = {"id": "a", "dataset": "d", "category": "speech", "domain": "speech"}
    here = Utterance(**about, path=file, start=0.2, duration=0.5)  # type: ignore[arg-type]
    sent = Utterance(**about, payload=file.read_bytes(), start=0.2, duration=0.5)  # type: ignore[arg-type]
    assert sent.identity() == here.identity()
    assert (sent.read(here.sha256())[0] == here.read(here.sha256())[0]).all()
    with pytest.raises(InputError, match="changed"):
        sent.read("0" * 64)
