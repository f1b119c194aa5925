"""The executor: runs a function over items in worker processes, and survives their death.

`Executor` is the interface that the runner knows; `ProcessPool` is the local one. A worker is a
fresh interpreter (nothing is forked, nothing of ``__main__`` is imported again), limited to one
thread, so scores do not depend on how many workers there are. PESQ's C code has been known to
crash its interpreter: a worker that dies costs the item it held, is replaced, and its other items
are not touched.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKER_ENVIRONMENT = {
    **dict.fromkeys(
        (
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
            "VECLIB_MAXIMUM_THREADS",
            "NUMEXPR_NUM_THREADS",
        ),
        "1",
    ),
    # glibc gives freed memory back at once, and faults it in again for the next clip: measured at
    # 8 ms a pair. Other C libraries do not read these.
    "MALLOC_TRIM_THRESHOLD_": str(1 << 28),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 28),
}


_PATIENCE_S = 5.0
"""How long an interrupted run waits for the codec that is at work."""


@dataclass(frozen=True)
class Failure:
    """What is left of an item that gave no result.

    Attributes:
        reason: the exception, or how the worker died.
        died: whether the worker process was lost.
        late: whether it was lost because the item took too long.
    """

    reason: str
    died: bool = False
    late: bool = False


class Executor(Protocol):
    """Runs shards of work somewhere. Results come as they finish, in any order."""

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[int, Result | Failure]]:
        """Yield ``(index of the item, its result or failure)``."""
        ...


class ProcessPool:
    """Worker processes on this machine.

    Args:
        workers: how many.
        timeout_s: an item that takes longer loses its worker.
        prefetch: how many items are drawn ahead of the workers. Items are drawn in a thread of
            its own, so producing them (running a codec) overlaps with everything else.
    """

    def __init__(self, workers: int, *, timeout_s: float = 900.0, prefetch: int = 4) -> None:
        if workers < 1:
            raise ValueError(f"workers: expected at least 1, got {workers}")
        self.workers, self.timeout_s, self.prefetch = workers, timeout_s, prefetch
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()

    def __enter__(self) -> ProcessPool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every worker."""
        for worker in self._all:
            worker.end()
        self._all.clear()
        self._idle.clear()

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[int, Result | Failure]]:
        """See `Executor.map`. ``function`` and items must pickle."""
        feeder = _Feeder(items, self.prefetch)
        busy: dict[Any, _Worker] = {}
        ready: deque[tuple[int, Item]] = deque()
        try:
            while True:
                while len(ready) < self.workers and (item := feeder.take()) is not None:
                    ready.append(item)
                while ready and len(busy) < self.workers:
                    worker = self._idle.pop() if self._idle else self._start()
                    index, item_value = ready.popleft()
                    worker.send(index, function, item_value)
                    busy[worker.connection] = worker
                if not busy and not ready and feeder.finished:
                    feeder.raise_error()
                    return
                for source in wait([feeder.signal, *busy], timeout=1.0):
                    if source is feeder.signal:
                        feeder.clear_signal()
                        continue
                    worker = busy.pop(source)
                    outcome = worker.receive()
                    if worker.alive:
                        self._idle.append(worker)
                    else:
                        self._all.discard(worker)
                    yield worker.index, outcome
                for source, worker in list(busy.items()):
                    if time.monotonic() - worker.started > self.timeout_s:
                        del busy[source]
                        self._all.discard(worker)
                        worker.end()
                        yield (
                            worker.index,
                            Failure(
                                f"gave no result in {self.timeout_s:g} s", died=True, late=True
                            ),
                        )
        finally:
            feeder.stop()
            for worker in busy.values():
                self._all.discard(worker)
                worker.end()

    def _start(self) -> _Worker:
        worker = _Worker()
        self._all.add(worker)
        return worker


class _Worker:
    """One process and the line to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        environment = {**os.environ, **WORKER_ENVIRONMENT}
        self.process = subprocess.Popen(
            # -P: a random.py in the working folder must not become the worker's `random`.
            [sys.executable, "-P", "-m", "sqbench.engine.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=2,  # what a metric prints must not get into our output
            # Ctrl-C is the parent's business: it ends the workers itself, after saving. And what
            # a worker starts is in its group, and ends with it.
            start_new_session=True,
        )
        theirs.close()
        self.connection = Connection(ours.detach())
        self.index = -1
        self.started = 0.0
        self.alive = True
        self._write(("path", list(sys.path)))

    def _write(self, message: object) -> None:
        # Should it fail, receive() finds the line closed and says how the worker died.
        with suppress(ConnectionError):
            self.connection.send(message)

    def send(self, index: int, function: Callable[[Any], Any], item: object) -> None:
        self.index, self.started = index, time.monotonic()
        self._write((function, item))

    def receive(self) -> Any:
        try:
            message = self.connection.recv_bytes()
        except (EOFError, OSError):  # OSError: it died while it was sending
            return Failure(f"the worker process died ({self._death()})", died=True)
        try:
            ok, value = pickle.loads(message)
        except Exception as error:  # a result may be of anybody's class
            return Failure(f"the result does not unpickle: {type(error).__name__}: {error}")
        return value if ok else Failure(value)

    def _death(self) -> str:
        """How a worker ended whose line is closed."""
        try:
            code = self.process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:  # a metric may have closed the line, and live on
            self.end()
            return "it closed its line"
        self.end()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"

    def end(self) -> None:
        """Kill it, and what it has started: it leads a process group of its own."""
        self.alive = False
        with suppress(ProcessLookupError):  # all of them have ended
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.connection.close()


class _Feeder:
    """Draws items from an iterable in a thread, a bounded number ahead."""

    def __init__(self, items: Iterable[Any], ahead: int) -> None:
        self._queue: queue.Queue[tuple[int, Any]] = queue.Queue(maxsize=max(1, ahead))
        receiver, sender = socket.socketpair()
        receiver.setblocking(False)
        sender.setblocking(False)
        self.signal, self._sender = receiver, sender
        self._stop = threading.Event()
        self._done = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(items,), daemon=True)
        self._thread.start()

    @property
    def finished(self) -> bool:
        return self._done.is_set() and self._queue.empty()

    def take(self) -> tuple[int, Any] | None:
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            return None

    def clear_signal(self) -> None:
        try:
            while self.signal.recv(4096):
                pass
        except BlockingIOError:
            pass

    def raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=_PATIENCE_S)
        self.signal.close()
        self._sender.close()

    def _run(self, items: Iterable[Any]) -> None:
        try:
            for item in enumerate(items):
                while not self._stop.is_set():
                    try:
                        self._queue.put(item, timeout=0.1)
                        break
                    except queue.Full:
                        continue
                if self._stop.is_set():
                    return
                self._wake()
        except BaseException as error:  # handed to the thread that iterates
            self._error = error
        finally:
            self._done.set()
            self._wake()

    def _wake(self) -> None:
        # An error means that the signal is pending already, or that nobody listens any more.
        with suppress(OSError):
            self._sender.send(b".")
