"""Low-pass anchors of a MUSHRA test, after ITU-R BS.1534-3, section 5.

The recommendation bounds the 3.5 kHz filter: at most 0.1 dB of ripple up to 3.5 kHz, at least 25 dB
of attenuation at 4 kHz and 50 dB at 4.5 kHz. The 7 kHz filter keeps the same in proportion. Both
are symmetric, so that an anchor is not late.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin, kaiserord, oaconvolve

CUTOFFS_HZ = (3500.0, 7000.0)
_TRANSITION = 1 / 7  # of the cut-off: 3.5 to 4 kHz
_ATTENUATION_DB = 60.0


def fits(rate: int, cutoff_hz: float) -> bool:
    """Whether the anchor of a clip of this rate differs from the clip."""
    return cutoff_hz * (1 + _TRANSITION / 2) < rate / 2


def taps(rate: int, cutoff_hz: float) -> NDArray[np.float64]:
    """The filter, an odd number of coefficients."""
    width = cutoff_hz * _TRANSITION
    count, beta = kaiserord(_ATTENUATION_DB, width / (rate / 2))
    return np.asarray(
        firwin(count | 1, cutoff_hz + width / 2, window=("kaiser", beta), fs=rate), np.float64
    )


def low_pass(samples: NDArray[np.floating], rate: int, cutoff_hz: float) -> NDArray[np.float64]:
    """Samples ``[T]`` without what lies above the cut-off, as long and at the same time.

    Raises:
        ValueError: the clip has nothing above it.
    """
    if not fits(rate, cutoff_hz):
        raise ValueError(f"{rate} Hz has nothing above {cutoff_hz:g} Hz")
    filtered = oaconvolve(samples.astype(np.float64), taps(rate, cutoff_hz), mode="same")
    return np.asarray(filtered, np.float64)
