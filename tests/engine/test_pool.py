"""The process pool: order-free results, failures, deaths, timeouts."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import broken_parts
import pytest

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
    with ProcessPool(2, timeout_s=1.0) as pool:
        outcomes = dict(pool.map(broken_parts.nap, [60.0, 0.0]))
    assert outcomes[1] == 0.0
    assert isinstance(outcomes[0], Failure)
    assert "1 s" in outcomes[0].reason


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
    worker = int(done.stdout)
    for _ in range(100):
        if not _alive(worker):
            return
        time.sleep(0.1)
    pytest.fail(f"worker {worker} outlived its parent")


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
