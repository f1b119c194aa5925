"""Rows in blocks that stay in the cache, on threads that each work alone.

On a CPU torch would split every small operation among all threads and wait for the last of them
thousands of times a second, which a busy machine makes slow. Here each thread takes whole blocks
through all the operations, and they wait for each other once.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch

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
    threads = min(torch.get_num_threads(), len(starts))
    if threads <= 1:
        for start in starts:
            work(start, min(rows, start + size))
        return
    counter = itertools.count()  # next() on it is atomic

    def worker() -> None:
        with torch.no_grad():
            while (i := next(counter)) < len(starts):
                work(starts[i], min(rows, starts[i] + size))

    for future in [_pool(torch.get_num_threads()).submit(worker) for _ in range(threads)]:
        future.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """As many threads, in each of which torch computes with one."""
    started = threading.Barrier(threads)

    def alone() -> None:
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(threads, "sqcodec", initializer=alone)
    for future in [pool.submit(int) for _ in range(threads)]:
        future.result()
    # The setting is that of a thread, but its value for new threads is everyone's.
    torch.set_num_threads(threads)
    return pool
