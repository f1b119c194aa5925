"""A codec in a process of its own: loaded there, fed over a line, ended and started again.

What kills or hangs the process costs the clip that did it. Several processes may hold the same
codec; what comes out does not depend on how many, since every clip has random numbers of its own.
"""

from __future__ import annotations

import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

import sqbench_codecs.host
from sqbench.engine.systems.codec import CodecFailure, CodecSystem, Made, made_of
from sqbench.errors import InputError
from sqbench_codecs.host.wire import PROTOCOL, Line

LOAD_S = 1800.0
"""How long loading may take: weights may have to be fetched."""

DEATHS_IN_A_ROW = 20
"""Processes lost without a clip done between them, after which a codec is given up."""

_LOG_BYTES = 1 << 20

_HOST_FOLDER = Path(sqbench_codecs.host.__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class Order:
    """Which codec, and how its processes run.

    Attributes:
        command: the interpreter and what it runs; two descriptors are added.
        request: what the host is asked to load, but for ``device``.
        devices: one process each.
        timeout_s: for a clip of up to 10 s; longer ones get more in proportion.
        memory_gb: what a process may take at most.
        debug: leave the codec's output on the terminal.
    """

    command: tuple[str, ...]
    request: Mapping[str, Any]
    devices: tuple[str, ...] = ("cpu",)
    timeout_s: float = 300.0
    memory_gb: float | None = None
    debug: bool = False


def registry_command() -> tuple[str, ...]:
    """This interpreter, with the codecs of the registry."""
    # -P: a random.py in the working folder must not become the host's `random`.
    return (sys.executable, "-P", "-m", "sqbench.engine.systems.registry_host")


def foreign_command(interpreter: str) -> tuple[str, ...]:
    """Another interpreter, with the host that needs NumPy alone."""
    return (interpreter, str(_HOST_FOLDER))


class Host:
    """One process; not thread-safe."""

    def __init__(self, order: Order, device: str, log: IO[bytes]) -> None:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        self.line = Line(ours_in, ours_out)
        environment = dict(os.environ)
        environment.setdefault("PYTHONHASHSEED", "0")  # the order of sets is random else
        if len(order.devices) > 1:
            environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        output = None if order.debug else log
        try:
            self.process = subprocess.Popen(
                [*order.command, str(theirs_in), str(theirs_out)],
                pass_fds=[theirs_in, theirs_out],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output or 2,
                stderr=output,
                # Ctrl-C is the parent's business, and a codec's children end with it.
                start_new_session=True,
            )
        except OSError as error:
            self.line.close()
            raise InputError(
                f"interpreter {order.command[0]}",
                expected="a Python that can be started",
                found=str(error.strerror or error),
            ) from error
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        try:
            hello, _ = self._receive(60.0, "starting")
        except CodecFailure as failure:
            raise CodecFailure(f"{failure.reason} while it started") from failure
        if hello.get("protocol") != PROTOCOL:
            self.end()
            raise InputError(
                f"interpreter {order.command[0]}",
                expected=f"a host that speaks protocol {PROTOCOL}",
                found=str(hello.get("protocol")),
            )
        request = {**order.request, "device": device, "memory_gb": order.memory_gb}
        answer, _ = self.ask({"do": "load", **request}, (), LOAD_S)
        self.description: dict[str, Any] = answer["codec"]

    def ask(
        self, request: dict[str, Any], arrays: Sequence[Any], timeout_s: float
    ) -> tuple[dict[str, Any], list[Any]]:
        """Send a request and wait for its answer.

        Raises:
            CodecFailure: the codec raised, or the process died or took too long (and is gone).
        """
        with suppress(BrokenPipeError):  # the answer says how it died
            self.line.send(request, list(arrays))
        answer, given = self._receive(timeout_s, request["do"])
        if not answer["ok"]:
            text = answer["error"] if answer["known"] else f"{answer['kind']}: {answer['error']}"
            raise CodecFailure(text, trace=answer["traceback"])
        return answer, given

    @property
    def alive(self) -> bool:
        return self.line.reader >= 0

    def _receive(self, timeout_s: float, doing: str) -> tuple[dict[str, Any], list[Any]]:
        deadline = time.monotonic() + timeout_s
        if not select.select([self.line.reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
            self.end()
            raise CodecFailure(f"no answer in {timeout_s:g} s: the process was ended")
        try:
            return self.line.receive()
        except (EOFError, OSError, ValueError) as error:
            self.end(patience_s=1.0)
            code = self.process.returncode
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
            raise CodecFailure(f"its process died ({how})", again=True) from error

    def end(self, patience_s: float = 0.0) -> None:
        """End the process and all that it started."""
        if not self.alive:
            return
        self.line.close()
        with suppress(subprocess.TimeoutExpired):
            if patience_s:
                self.process.wait(patience_s)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@dataclass
class ProcessRunner:
    """Processes of one codec, each started when it is first needed.

    Args:
        order: which codec.
        log: where its output goes.
    """

    order: Order
    log: IO[bytes]
    description: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parallel = len(self.order.devices)
        self._idle: queue.Queue[tuple[str, Host | None]] = queue.Queue()
        self._closed = False
        self._lock = threading.Lock()
        self._running: set[Host] = set()
        self._deaths = 0
        first, *rest = self.order.devices
        host = self._start(first)
        self.description = host.description
        self._idle.put((first, host))
        for device in rest:
            self._idle.put((device, None))

    def code(self, clips: Sequence[NDArray[np.float32]], seeds: Sequence[int]) -> list[Made]:
        """See `Runner.code`."""
        rate = self.description["sample_rate"] or 16000
        tens = sum(max(1.0, len(clip) / rate / 10.0) for clip in clips)
        request = {"do": "code", "seeds": [int(seed) for seed in seeds]}
        return made_of(*self._ask(request, clips, tens))

    def call(self, method: str, arrays: Sequence[Any], lengths: Sequence[int] = ()) -> list[Any]:
        """See `Runner.call`."""
        request = {"do": "call", "method": method, "lengths": [int(n) for n in lengths]}
        return self._ask(request, arrays, 10.0 * max(1, len(arrays)))[1]

    def _ask(
        self, request: dict[str, Any], arrays: Sequence[Any], tens: float
    ) -> tuple[dict[str, Any], list[Any]]:
        """Ask a process that is free; ``tens`` of seconds of audio bound its time."""
        if self._deaths >= DEATHS_IN_A_ROW:
            raise CodecFailure(f"its process died {self._deaths} times in a row: not tried again")
        device, host = self._idle.get()
        try:
            if host is None or not host.alive:
                host = None
                host = self._start(device)
            answered = host.ask(request, arrays, self.order.timeout_s * tens)
            self._deaths = 0
            return answered
        except CodecFailure as failure:
            if self._closed:
                raise CodecFailure("the run was ended") from failure
            if host is None or not host.alive:
                self._deaths += 1
            raise
        finally:
            self._idle.put((device, host))

    @property
    def pids(self) -> list[int]:
        """Of the processes that run."""
        with self._lock:
            return [host.process.pid for host in self._running if host.alive]

    def output(self) -> str:
        """The end of what the processes printed."""
        size = self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, size - _LOG_BYTES))
        return self.log.read().decode("utf-8", "replace")

    def close(self) -> None:
        """End all processes, also one that is at work."""
        self._closed = True
        with self._lock:
            for host in self._running:
                host.end()
            self._running.clear()
        self.log.close()

    def _start(self, device: str) -> Host:
        if self._closed:
            raise CodecFailure("the run was ended")
        host = Host(self.order, device, self.log)
        with self._lock:
            self._running = {each for each in self._running if each.alive} | {host}
        if self.description and host.description != self.description:
            host.end()
            raise CodecFailure("loaded again it is another codec: its files changed during the run")
        return host


def hosted(order: Order, log: IO[bytes], *, kind: str, seed: int = 0) -> CodecSystem:
    """Start a codec in a process of its own.

    Args:
        kind: ``process`` or ``interpreter``, for the record.

    Raises:
        InputError: it cannot be loaded; with what it said.
        CodecFailure: its process died while it loaded.
    """
    runner = ProcessRunner(order, log)
    facts = dict(runner.description)
    unknown, cost = facts.pop("unknown"), facts.pop("cost", None)
    return CodecSystem({**facts, "hosted": kind}, runner, seed=seed, unknown=unknown, cost=cost)
