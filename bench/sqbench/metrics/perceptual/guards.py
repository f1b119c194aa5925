"""Where a perceptual metric has no value. Its author's code would give a number there all the same:
a trained model says something of anything."""

from __future__ import annotations

import numpy as np

from sqbench.metrics.base import Pair, Samples, Undefined

SILENT = 2.0**-15
"""One step of 16-bit audio: what never leaves its mean by more is silence."""


def require_signal(pair: Pair) -> None:
    """Raise Undefined where a side is silent or constant."""
    require_sound(pair.reference, "reference")
    require_sound(pair.estimate, "estimate")


def require_sound(samples: Samples, side: str) -> None:
    """Raise Undefined where ``[T]`` is silent or constant; ``side`` names it."""
    if float(np.max(np.abs(samples - np.mean(samples)))) < SILENT:
        raise Undefined(f"the {side} is silent (below one step of 16-bit audio)")


def require_length(samples: Samples, rate: int, seconds: float, why: str) -> None:
    """Raise Undefined where ``[T]`` at ``rate`` Hz is shorter; ``why`` says what that is for."""
    if samples.shape[0] < seconds * rate:
        raise Undefined(
            f"{samples.shape[0] / rate:.3g} s are too short: {seconds:g} s are needed, {why}"
        )


def require_scale(samples: Samples, side: str) -> None:
    """Raise Undefined where ``[T]`` is beyond full scale; ``side`` names it."""
    peak = float(np.max(np.abs(samples)))
    if peak > 1.0:
        raise Undefined(f"the {side} peaks at {peak:.4g}, beyond full scale")
