"""Which precision a device is fast in, and what the other one costs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import torch

logger = logging.getLogger(__name__)

FLAGS = ("avx512_bf16", "amx_bf16", "bf16")
"""Units for bfloat16 products, as Linux names them: two of x86, one of Arm."""
_CPUINFO = Path("/proc/cpuinfo")


def bf16_units(device: torch.device) -> tuple[str, ...]:
    """What multiplies bfloat16 natively on a device; empty where it is emulated or unknown."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return (torch.cuda.get_device_name(device),) if native else ()
    if device.type != "cpu":
        return ()
    try:
        lines = _CPUINFO.read_text().splitlines()
    except OSError:
        return ()
    flags = {word for line in lines if line.startswith(("flags", "Features"))
             for word in line.partition(":")[2].split()}  # fmt: skip
    return tuple(flag for flag in FLAGS if flag in flags)


def resolve(precision: str, device: torch.device) -> str:
    """``float32`` or ``bf16``: what ``auto`` is on a device; the others are what they are."""
    if precision != "auto":
        return precision
    return "bf16" if bf16_units(device) else "float32"


def warn_if_emulated(
    precision: str, device: torch.device, run: Callable[[bool], object]
) -> float | None:
    """Measure and say what bfloat16 costs where it was asked for and no unit is known.

    Args:
        run: a pass of training, under bfloat16 or not.

    Returns:
        How many times as long a pass takes, or ``None``: not asked for, or there is a unit.
    """
    if precision != "bf16" or bf16_units(device):
        return None
    seconds = {}
    for bf16 in (False, True):
        run(bf16)  # the first one warms up
        start = time.perf_counter()
        run(bf16)
        seconds[bf16] = time.perf_counter() - start
    factor = seconds[True] / seconds[False]
    logger.warning(
        "precision bf16: no unit for it is known on %s; a pass takes %.1f times as long as in "
        "float32 (--set precision=auto chooses)", device, factor,
    )  # fmt: skip
    return factor
