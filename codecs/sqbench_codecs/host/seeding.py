"""Random numbers of a codec: the global generators of Python, NumPy and torch, clip by clip."""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np


def clip_seed(seed: int, clip: str) -> int:
    """A seed of 32 bits for a clip: the same wherever and in whatever company it is coded."""
    text = f"{seed}\0{clip}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big")


def seed_all(seed: int) -> None:
    """Start every global generator that is there anew."""
    random.seed(seed)
    np.random.seed(seed % (1 << 32))  # noqa: NPY002 - the global one is what codecs share
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)


def seeded(make: Callable[[], Any], seed: int) -> Any:
    """What ``make`` makes with generators that start at ``seed``.

    One that imports torch only then has drawn from a generator that torch starts at random: it is
    made again.
    """
    before = "torch" in sys.modules
    seed_all(seed)
    made = make()
    if not before and "torch" in sys.modules:
        seed_all(seed)
        made = make()
    return made


def state() -> list[Any]:
    """Where the global generators are; `restore` brings them back there."""
    found: list[Any] = [random.getstate(), np.random.get_state()]  # noqa: NPY002
    torch = sys.modules.get("torch")
    if torch is not None:
        found.append(torch.get_rng_state())
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            found.append(torch.cuda.get_rng_state_all())
    return found


def restore(found: list[Any]) -> None:
    """Put the generators where they were; one that came since is left alone."""
    random.setstate(found[0])
    np.random.set_state(found[1])  # noqa: NPY002
    torch = sys.modules.get("torch")
    if torch is not None and len(found) > 2:
        torch.set_rng_state(found[2])
        if len(found) > 3:
            torch.cuda.set_rng_state_all(found[3])


def mark() -> str:
    """A short text that changes when a global generator gives a number."""
    sha = hashlib.sha256(repr(random.getstate()).encode())
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    sha.update(repr((kind, rest)).encode() + np.asarray(keys).tobytes())
    torch = sys.modules.get("torch")
    if torch is not None:
        sha.update(torch.get_rng_state().numpy().tobytes())
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            for each in torch.cuda.get_rng_state_all():
                sha.update(each.cpu().numpy().tobytes())
    return sha.hexdigest()
