"""What several metrics need of one pair, computed once."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from sqbench import audio
from sqbench.metrics.base import Pair, Samples

P = ParamSpec("P")
R = TypeVar("R")


def per_pair(
    function: Callable[Concatenate[Pair, P], R],
) -> Callable[Concatenate[Pair, P], R]:
    """Keep the results for the pair that was asked about last.

    Metrics measure one pair after the other, so that one is enough; its results go with it. The
    further arguments must be hashable, and are told apart by value.
    """
    last: dict[tuple[object, ...], R] = {}
    of: list[weakref.ref[Pair]] = []

    @wraps(function)
    def once(pair: Pair, /, *arguments: P.args, **named: P.kwargs) -> R:
        if not of or of[0]() is not pair:
            last.clear()
            of[:] = [weakref.ref(pair, lambda _: last.clear())]
        key = (*arguments, *named.items())
        if key not in last:
            last[key] = function(pair, *arguments, **named)
        return last[key]

    return once


@per_pair
def at_rate(pair: Pair, side: str, rate: int) -> Samples:
    """``reference`` or ``estimate`` at another rate, ``[T]``, by the project's resampler."""
    samples: Samples = getattr(pair, side)
    return audio.resample(samples, pair.sample_rate, rate)
