"""Codecs and metrics that misbehave, importable by worker processes."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from sqbench.metrics.base import Metric, Pair
from sqbench_codecs import Codec, CodecSpec, Codes, Waveform
from sqbench_codecs.controls import MuLaw8


class Killer(Metric):
    """Kills its process, as PESQ's C code has done, on loud pairs."""

    name = "killer"
    version = 1
    direction = "higher"
    bounds = (None, None)

    def measure(self, pair: Pair) -> float:
        if abs(pair.reference).max() > 0.9:
            os.kill(os.getpid(), signal.SIGSEGV)
        return 1.0


class Slow(MuLaw8):
    """A codec that takes its time."""

    spec = CodecSpec(
        name="slow", sample_rate=None, frame_rate=None, codebook_sizes=(256,), bitrate_bps=None
    )

    def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
        time.sleep(0.25 * len(audio))
        return super().encode(audio)


class Choosy(MuLaw8):
    """Fails on long clips, and with them on every batch that holds one."""

    spec = CodecSpec(
        name="choosy", sample_rate=None, frame_rate=None, codebook_sizes=(256,), bitrate_bps=None
    )

    def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
        if any(len(x) > 21000 for x in audio):
            raise RuntimeError("too long for me")
        return super().encode(audio)


class WrongLength(MuLaw8):
    """Returns a sample too many."""

    spec = CodecSpec(
        name="wrong-length",
        sample_rate=None,
        frame_rate=None,
        codebook_sizes=(256,),
        bitrate_bps=None,
    )

    def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
        return super().decode(codes, [n - 1 for n in lengths])


class OutOfRange(MuLaw8):
    """Codes beyond the codebook."""

    spec = CodecSpec(
        name="out-of-range",
        sample_rate=None,
        frame_rate=None,
        codebook_sizes=(16,),
        bitrate_bps=None,
    )


def pid(_: object) -> int:
    return os.getpid()


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def die_on_negative(x: int) -> int:
    if x < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return 10 * x


def die_while_sending(size: int) -> bytes:
    """More than the line holds, so that it is killed in the middle of it."""
    threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
    return bytes(size)


def unpicklable(x: int) -> object:
    return (lambda: x) if x < 0 else x


class NotReadable:
    """Pickles; whoever reads it gets an error."""

    def __reduce__(self) -> tuple[object, ...]:
        return math.sqrt, (-1.0,)


def not_readable(x: int) -> object:
    return NotReadable() if x < 0 else x


def start_a_child_and_hang(path: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(path).write_text(str(child.pid))
    time.sleep(600)


def start_a_child_and_die(path: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(path).write_text(str(child.pid))
    os.kill(os.getpid(), signal.SIGSEGV)


def close_all_lines(_: object) -> None:
    os.closerange(3, 256)
    time.sleep(600)


def threads(_: object) -> str:
    return os.environ["OMP_NUM_THREADS"]


__all__ = ["Choosy", "Codec", "Killer", "OutOfRange", "Slow", "WrongLength"]
