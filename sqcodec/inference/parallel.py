"""Rows in blocks that stay in the cache, on threads that each work alone.

On a CPU torch would split every small operation among all threads and wait for the last of them
thousands of times a second, which a busy machine makes slow. Here each thread takes whole blocks
through all the operations, and they wait for each other once. Values do not depend on how many
threads there are, as blocks are the same and each is computed by one.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

from sqcodec.isolation import thread_defaults

BLOCK_ELEMENTS = 1 << 18
"""Values of the widest intermediate that a thread holds at once (1 MiB)."""

_MIN_ROWS = 256


def for_blocks(
    work: Callable[[int, int], None], rows: int, width: int, device: torch.device
) -> None:
    """Call ``work(start, stop)`` for ranges that cover ``rows``, without gradients.

    Args:
        work: safe to call from several threads at once for different ranges.
        rows: how many there are.
        width: values per row of the widest intermediate of ``work``.
        device: other devices than CPUs get all rows at once.
    """
    if device.type != "cpu":
        if rows:
            work(0, rows)
        return
    size = max(_MIN_ROWS, BLOCK_ELEMENTS // width)
    starts = range(0, rows, size)
    available = torch.get_num_threads()
    if available == 1:
        for start in starts:
            work(start, min(rows, start + size))
        return
    counter = itertools.count()  # next() on it is atomic

    def worker() -> None:
        with thread_defaults():
            while (i := next(counter)) < len(starts):
                work(starts[i], min(rows, starts[i] + size))

    # A single block too: split among threads, a product of few rows has other last bits.
    pool = _pool(available)
    for future in [pool.submit(worker) for _ in range(min(available, len(starts)))]:
        future.result()


_pools: dict[int, ThreadPoolExecutor] = {}
_lock = threading.Lock()


def _pool(threads: int) -> ThreadPoolExecutor:
    """As many threads, in each of which torch computes with one; the same for every caller."""
    with _lock:
        if threads not in _pools:
            _pools[threads] = _start(threads)
        return _pools[threads]


def _start(threads: int) -> ThreadPoolExecutor:
    started = threading.Barrier(threads)

    def alone() -> None:
        torch.get_num_threads()  # a thread's first call takes on everyone's number
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(threads, "sqcodec", initializer=alone)
    for future in [pool.submit(int) for _ in range(threads)]:
        future.result()
    # The setting is that of a thread, but its value for new threads is everyone's.
    torch.set_num_threads(threads)
    return pool


def _in_child() -> None:
    """Threads do not survive a fork, and nobody is there to release the lock."""
    global _lock
    _lock = threading.Lock()
    _pools.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
