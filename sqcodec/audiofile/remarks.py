"""What is odd about audio that can be used all the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_HOLE_S = 0.1


def remarks(samples: NDArray[np.floating], rate: int) -> tuple[str, ...]:
    """What is odd about audio that can be used all the same; first channel only.

    A stretch of exact zeros with an edge in full swing is what a download with a hole leaves in a
    format without checksums, and what nobody records. Silence that was faded to is none.

    Args:
        samples: ``[T]`` or ``[T, C]``.
    """
    mono = samples if samples.ndim == 1 else samples[:, 0]
    shortest = max(2, round(_HOLE_S * rate))
    if len(mono) < shortest + 2:
        return ()
    sounding = np.flatnonzero(mono)
    gaps = np.diff(sounding) - 1
    edge = 0.05 * float(np.abs(mono).max())
    for index in np.flatnonzero(gaps >= shortest):
        before, after = sounding[index], sounding[index + 1]
        if min(abs(mono[before]), abs(mono[after])) > edge:
            seconds, at = float(gaps[index]) / rate, float(before + 1) / rate
            return (f"{seconds:.2f} s of exact zeros from {at:.2f} s on, perhaps a hole",)
    return ()
