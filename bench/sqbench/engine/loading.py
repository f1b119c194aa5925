"""Loading a codec for a run, so that it does the same in every run."""

from __future__ import annotations

import random
import sys

import numpy as np

from sqbench.errors import InputError
from sqbench_codecs import Codec
from sqbench_codecs.catalogue import CODECS


def load(name: str | Codec, *, weights: str, device: str, seed: int) -> Codec:
    """A codec by its name, or as it is; random numbers start anew, also those that loading draws.

    Args:
        name: of the registry, ``file.py:Class``, or a loaded codec.
        weights: ``auto``, ``official``, ``official@REV``, ``bundled`` or a path.
        seed: of the global generators, which are all that codecs can share.

    Raises:
        InputError: no such codec, or its weights or its packages are missing.
    """
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    if isinstance(name, Codec):
        return name
    return CODECS.get(name).load(weights=weights, device=device)


def why(error: Exception) -> str:
    """What a user is told of an error: bad input in its own words, anything else with its type."""
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
