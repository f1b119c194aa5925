"""Files of torch.save, read without running what is in them."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

from sqcodec.errors import InputError

_GLOBAL = re.compile(r"GLOBAL ([\w.]+)|(?:Unsupported class|global) ([\w.]+)")


def read_pickle(path: Path, what: str) -> Any:
    """The content of a file of `torch.save`, on the CPU: tensors and plain values only.

    Args:
        path: the file.
        what: what it should be, for the message.

    Raises:
        InputError: damaged, or with objects in it whose making would run code.
    """
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # torch raises what its reader trips over
        raise refusal(path, what, error) from None


def refusal(path: Path, what: str, error: Exception) -> InputError:
    """What to say of a file that torch's reader, here or in somebody's library, did not take.

    Torch's own message is a page on how to load it all the same.

    Args:
        path: the file.
        what: what it should be.
        error: what was raised.
    """
    named = _GLOBAL.search(str(error)) if isinstance(error, pickle.UnpicklingError) else None
    name = next((part for part in named.groups() if part), "") if named else ""
    if not name:
        return _damaged(path, what, error)
    return InputError(
        str(path),
        expected=f"{what}: tensors and plain values only",
        found=f"a pickle that would run {name}: refused, nothing was run",
        remedy="Save its state_dict() instead.",
    )


def _damaged(path: Path, what: str, error: Exception) -> InputError:
    # The reason stands behind a page of advice.
    lines = str(error).rpartition("WeightsUnpickler error:")[2].strip().splitlines()
    first = lines[0][:100] if lines else "no message"
    return InputError(
        str(path),
        expected=what,
        found=f"{path.stat().st_size} bytes that do not load ({type(error).__name__}: {first})",
        remedy="The file is damaged or cut off: delete it and fetch or save it again.",
    )
