"""The process pool: order-free results, failures, deaths, timeouts."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import broken_parts
import pytest

from sqbench.engine import pool as pool_module
from sqbench.engine.pool import Failure, ProcessPool


def test_results_come_with_their_index() -> None:
    with ProcessPool(2) as pool:
        assert dict(pool.map(math.sqrt, [1.0, 4.0, 9.0, 16.0])) == {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0}


def test_nothing_to_do() -> None:
    with ProcessPool(2) as pool:
        assert list(pool.map(math.sqrt, [])) == []


def test_an_exception_fails_its_item_only() -> None:
    with ProcessPool(1) as pool:
        outcomes = dict(pool.map(math.sqrt, [4.0, -1.0, 9.0]))
    assert outcomes[0] == 2.0
    assert outcomes[2] == 3.0
    assert isinstance(outcomes[1], Failure)
    assert "ValueError" in outcomes[1].reason
    assert not outcomes[1].died


def test_a_dead_worker_costs_its_item_only() -> None:
    with ProcessPool(2) as pool:
        outcomes = dict(pool.map(broken_parts.die_on_negative, [1, -1, 2, -2, 3]))
    assert {k: v for k, v in outcomes.items() if k in (0, 2, 4)} == {0: 10, 2: 20, 4: 30}
    for index in (1, 3):
        failure = outcomes[index]
        assert isinstance(failure, Failure)
        assert failure.died
        assert "SIGKILL" in failure.reason


def test_an_item_that_hangs_is_given_up() -> None:
    with ProcessPool(2) as pool:
        # Starting an interpreter may take a busy machine longer than the limit here.
        list(pool.map(broken_parts.nap, [1.0, 1.0]))
        pool.timeout_s = 2.0
        outcomes = dict(pool.map(broken_parts.nap, [60.0, 0.0]))
    assert outcomes[1] == 0.0
    assert isinstance(outcomes[0], Failure)
    assert "2 s" in outcomes[0].reason


def test_a_worker_killed_while_it_sends_costs_its_item_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The line holds the beginning of a result that will never end."""
    receive = pool_module._Worker.receive

    def late(worker: pool_module._Worker) -> object:
        worker.process.wait()
        return receive(worker)

    with ProcessPool(1) as pool:
        monkeypatch.setattr(pool_module._Worker, "receive", late)
        ((_, failure),) = pool.map(broken_parts.die_while_sending, [1 << 24])
        monkeypatch.undo()
        assert isinstance(failure, Failure)
        assert failure.died
        assert failure.reason == "the worker process died (signal SIGKILL)"
        assert list(pool.map(math.sqrt, [4.0])) == [(0, 2.0)]


def test_results_that_do_not_pickle_or_unpickle_are_said_and_cost_no_worker() -> None:
    with ProcessPool(1) as pool:
        outcomes = dict(pool.map(broken_parts.unpicklable, [1, -1, 2]))
        more = dict(pool.map(broken_parts.not_readable, [1, -1, 2]))
    assert (outcomes[0], outcomes[2], more[0], more[2]) == (1, 2, 1, 2)
    for failure, what in ((outcomes[1], "does not pickle"), (more[1], "does not unpickle")):
        assert isinstance(failure, Failure)
        assert what in failure.reason
        assert not failure.died


def test_a_worker_that_closes_its_line_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_PATIENCE_S", 0.2)
    with ProcessPool(1) as pool:
        ((_, failure),) = pool.map(broken_parts.close_all_lines, [0])
    assert isinstance(failure, Failure)
    assert failure.reason == "the worker process died (it closed its line)"


@pytest.mark.parametrize(
    "function", [broken_parts.start_a_child_and_hang, broken_parts.start_a_child_and_die]
)
def test_what_a_worker_has_started_ends_with_it(
    function: Callable[[str], None], tmp_path: Path
) -> None:
    path = tmp_path / "pid"
    with ProcessPool(1) as pool:
        list(pool.map(broken_parts.pid, [0]))
        pool.timeout_s = 5.0
        ((_, failure),) = pool.map(function, [str(path)])
        assert isinstance(failure, Failure)
        _ends(int(path.read_text()))


def test_workers_have_one_thread_and_are_reused() -> None:
    with ProcessPool(1) as pool:
        assert [out for _, out in pool.map(broken_parts.threads, [0])] == ["1"]
        first = {out for _, out in pool.map(broken_parts.pid, range(3))}
        second = {out for _, out in pool.map(broken_parts.pid, range(3))}
    assert first == second
    assert len(first) == 1
    assert os.getpid() not in first


def test_items_are_drawn_a_bounded_number_ahead() -> None:
    drawn = 0

    def items() -> Iterator[float]:
        nonlocal drawn
        for _ in range(100):
            drawn += 1
            yield 0.2

    with ProcessPool(1, prefetch=2) as pool:
        results = pool.map(broken_parts.nap, items())
        next(results)
        assert drawn < 10
        results.close()  # type: ignore[attr-defined]


def test_an_error_of_the_items_reaches_the_caller() -> None:
    def items() -> Iterator[float]:
        yield 0.0
        raise KeyError("broken source")

    with ProcessPool(1) as pool, pytest.raises(KeyError, match="broken source"):
        list(pool.map(broken_parts.nap, items()))


def test_a_script_without_a_main_guard_can_use_it() -> None:
    script = (
        "import math\nfrom sqbench.engine.pool import ProcessPool\n"
        "with ProcessPool(1) as pool:\n    print(list(pool.map(math.sqrt, [4.0])))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[(0, 2.0)]\n"


def test_workers_end_with_a_parent_that_is_killed() -> None:
    script = (
        "import broken_parts, os, signal\nfrom sqbench.engine.pool import ProcessPool\n"
        "pool = ProcessPool(1)\n"
        "for _, pid in pool.map(broken_parts.pid, [0]):\n    print(pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    folder = os.path.dirname(broken_parts.__file__)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": folder},
    )
    _ends(int(done.stdout))


def _ends(pid: int) -> None:
    for _ in range(100):
        if not _alive(pid):
            return
        time.sleep(0.1)
    pytest.fail(f"process {pid} outlived its parent")


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
