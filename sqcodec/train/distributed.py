"""The processes of a run under ``torchrun``, or the only one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

PATIENCE = timedelta(days=2)
"""How long processes wait for the one that evaluates and writes.

The groups that average gradients keep the backend's own limit (ten minutes, of NCCL), so that a
process that hangs in a step is noticed.
"""


@dataclass(frozen=True, kw_only=True)
class World:
    """Where this process stands.

    Attributes:
        rank, size: among all processes.
        local_rank: on this machine, which names its GPU.
        patient: a group of all processes, on the CPU, for waits of `PATIENCE`.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    patient: Any = None

    @property
    def leads(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def share(self, items: list[Any]) -> list[Any]:
        """This process's part of a batch, in one run, so that order over ranks is kept."""
        each = len(items) // self.size
        return items[self.rank * each : (self.rank + 1) * each]

    def mean(self, value: Tensor) -> Tensor:
        """Mean over processes of a tensor without gradient."""
        if self.size == 1:
            return value.detach()
        total = value.detach().clone()
        dist.all_reduce(total)
        return total / self.size

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether any process raised the flag; all get the same answer."""
        if self.size == 1:
            return flag
        value = torch.tensor(float(flag), device=device)
        dist.all_reduce(value, dist.ReduceOp.MAX)
        return bool(value)

    def gather(self, value: Any) -> list[Any]:
        """A value of each process, on all of them; may wait as long as an evaluation takes."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, group=self.patient)
        return values

    def barrier(self) -> None:
        if self.size > 1:
            dist.barrier(group=self.patient)

    def wrap(self, module: nn.Module, device: torch.device) -> nn.Module:
        """The module with gradients averaged over processes."""
        if self.size == 1:
            return module
        ids = [device.index] if device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=ids)


def join(device: torch.device) -> World:
    """Join the process group that ``torchrun`` describes in the environment; alone without one."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World()
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return World(
        rank=dist.get_rank(),
        size=size,
        local_rank=int(os.environ.get("LOCAL_RANK", "0")),
        patient=dist.new_group(backend="gloo", timeout=PATIENCE),
    )


def leave() -> None:
    """Leave the process group, if any."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
