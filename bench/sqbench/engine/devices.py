"""Whether a device is there, before anything is loaded on it."""

from __future__ import annotations

import re
import subprocess
import sys

from sqbench.errors import InputError

_KNOWN = re.compile(r"(cpu|cuda|mps|xpu)(:\d+)?")

_ASK = """
import sys, torch
device = torch.device(sys.argv[1])
if device.type == "cuda":
    found = torch.cuda.device_count()
    name = [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(found)]
    print("ok" if (device.index or 0) < found else ", ".join(name) or "no CUDA device")
else:
    module = getattr(torch, device.type)
    print("ok" if module.is_available() else f"no {device.type}")
"""


def check(name: str) -> str:
    """The name of a device that is there.

    Asked of another process where torch must be: this one stays without.

    Raises:
        InputError: it is none, or not there.
    """
    if _KNOWN.fullmatch(name) is None:
        raise InputError(f"device {name!r}", expected="cpu, cuda, cuda:N, mps or xpu", found="none")
    if name.startswith("cpu"):
        return name
    done = subprocess.run(
        [sys.executable, "-P", "-c", _ASK, name], capture_output=True, text=True, check=False
    )
    said = done.stdout.strip() or (done.stderr.strip().splitlines() or ["nothing"])[-1]
    if said != "ok":
        raise InputError(
            f"device {name!r}", expected="a device of this machine", found=said,
            remedy="Leave --device out for the CPU.",
        )  # fmt: skip
    return name
