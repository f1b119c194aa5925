"""Where the network is trained."""

from __future__ import annotations

import torch

from sqcodec.errors import InputError


def usable_device(name: str) -> torch.device:
    """The device of that name.

    Raises:
        InputError: no such device, or torch cannot use it here.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"device {name!r}",
            expected="a device that torch can use, such as cpu, cuda or cuda:1",
            found=str(error).strip().split("\n")[0],
        ) from None
    return device
