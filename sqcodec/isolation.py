"""What a caller's thread has set about torch, kept away from the codec.

Modes of a thread (gradients, inference mode, autocast, default device) and of the process (TF32,
attention kernels, cuDNN's choice by timing) would change the codec's numbers or stop it. `isolated`
is entered wherever the network is made or run; beside it nothing in the codec asks what is set.
The default dtype cannot be kept away, as it is the whole process's and other threads make tensors
meanwhile: the network names its dtypes instead.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch.amp.autocast_mode import is_autocast_available

_CPU = torch.device("cpu")


@contextmanager
def thread_defaults(device: torch.device = _CPU) -> Iterator[None]:
    """No gradients, no inference mode, no autocast, and new tensors on the CPU, in this thread.

    Args:
        device: where the network is.
    """
    with ExitStack() as stack:
        # First: leaving inference mode switches gradients on.
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        for kind in {"cpu", device.type}:
            if is_autocast_available(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device() != _CPU:
            stack.enter_context(_CPU)
        yield


@contextmanager
def isolated(device: torch.device = _CPU) -> Iterator[None]:
    """`thread_defaults`, and the process's settings that would change numbers at their defaults.

    Several threads may be inside at once; settings are as before when the last has left.

    Args:
        device: where the network is.
    """
    _after_fork()
    with _process, thread_defaults(device):
        yield


class _ProcessSettings:
    """Settings of the whole process, from the first that enters to the last that leaves."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._restore: list[Callable[[], None]] = []

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._restore = _set_process()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                for restore in self._restore:
                    restore()


def _set_process() -> list[Callable[[], None]]:
    """Set what changes numbers; returns what brings it back, and nothing for what was right."""
    cuda: Any = torch.backends.cuda
    cudnn: Any = torch.backends.cudnn
    mkldnn: Any = torch.backends.mkldnn
    restore: list[Callable[[], None]] = []

    def ensure(value: Any, wanted: Any, put: Callable[[Any], Any]) -> None:
        if value != wanted:
            put(wanted)
            restore.append(lambda: put(value))

    # TF32 and bfloat16 products, which `torch.set_float32_matmul_precision` allows.
    for backend in (cuda.matmul, cudnn.conv, mkldnn.matmul, mkldnn.conv):
        ensure(backend.fp32_precision, "ieee", partial(setattr, backend, "fp32_precision"))
    # The fastest of cuDNN's algorithms is another one on another day.
    ensure(cudnn.benchmark, False, partial(setattr, cudnn, "benchmark"))
    for kind in ("flash", "mem_efficient", "math"):  # torch.nn.attention.sdpa_kernel
        ensure(getattr(cuda, f"{kind}_sdp_enabled")(), True, getattr(cuda, f"enable_{kind}_sdp"))
    return restore


_process = _ProcessSettings()
_forked = False


def _after_fork() -> None:
    """A child of a fork computes with one thread: OpenMP's others are gone, and waited for."""
    global _forked
    if _forked:
        torch.set_num_threads(1)
        _forked = False


def _in_child() -> None:
    global _forked, _process
    _forked, _process = True, _ProcessSettings()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
