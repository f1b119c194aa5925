"""How a pair is prepared: the rules of the Codec-SUPERB SLT-2024 challenge, in one place.

1. Samples are float64 with full scale at 1.0. Nothing is normalised, aligned, mixed or delayed.
2. An estimate of another rate is resampled to the reference's rate (`sqbench.audio.resample`);
   the reference is never resampled.
3. The first channel of each is taken.
4. Both are cut to the shorter length; differing lengths are never an error.

``slt2024`` corrects the official scripts in two places, and is the default:

* a multichannel estimate of another rate is resampled along time (the scripts resample its
  *channels*, and leave the time axis at the old rate);
* STOI has a value for estimates of another rate (the scripts fail there, see `metrics.stoi`).

``slt2024-strict`` reproduces the scripts in both, failures included.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sqbench import audio
from sqbench.errors import InputError
from sqbench.metrics.base import Pair, Samples, Undefined

DEFAULT = "slt2024"
STRICT = "slt2024-strict"
PROTOCOLS = (DEFAULT, STRICT)

_MOST_CHANNELS = 64


def prepare(
    reference: ArrayLike,
    reference_rate: int,
    estimate: ArrayLike,
    estimate_rate: int,
    protocol: str = DEFAULT,
) -> Pair:
    """Prepare a pair for measuring.

    Args:
        reference: floating-point samples ``[T]`` or ``[T, C]``, full scale at 1.0.
        reference_rate: in Hz.
        estimate: as the reference; rate, length and channels may differ.
        estimate_rate: in Hz.
        protocol: ``slt2024`` or ``slt2024-strict``.

    Raises:
        InputError: the protocol, a rate, or the type or shape of an array cannot be used.
        Undefined: one side is empty, or holds NaN or infinity, so that no metric has a value.
    """
    check(protocol)
    checked = _samples(reference, "reference"), _samples(estimate, "estimate")
    rates = _rate(reference_rate, "reference"), _rate(estimate_rate, "estimate")
    for samples, side in zip(checked, ("reference", "estimate"), strict=True):
        if samples.size == 0:
            raise Undefined(f"the {side} is empty")
    first = audio.first_channel(checked[0])
    second = _to_rate(checked[1], rates[1], rates[0], protocol)
    length = min(first.shape[0], second.shape[0])
    pair = Pair(
        reference=first[:length],
        estimate=second[:length],
        sample_rate=rates[0],
        estimate_rate=rates[1],
        protocol=protocol,
    )
    for samples, side in ((pair.reference, "reference"), (pair.estimate, "estimate")):
        bad = samples.size - int(np.count_nonzero(np.isfinite(samples)))
        if bad:
            raise Undefined(f"the {side} has {bad} of {samples.size} samples NaN or infinite")
    return pair


def check(protocol: str) -> None:
    """Raise InputError unless ``protocol`` is one of `PROTOCOLS`."""
    if protocol not in PROTOCOLS:
        raise InputError(
            f"protocol {protocol!r}", expected=f"one of {', '.join(PROTOCOLS)}", found="another"
        )


def _samples(array: ArrayLike, side: str) -> Samples:
    samples: NDArray[np.generic] = np.asarray(array)
    if not np.issubdtype(samples.dtype, np.floating):
        raise InputError(
            f"{side} samples",
            expected="floating point with full scale at 1.0",
            found=str(samples.dtype),
            remedy="Divide 16-bit integers by 32768.",
        )
    mistaken = samples.ndim == 2 and samples.shape[1] > max(samples.shape[0], _MOST_CHANNELS)
    if samples.ndim not in (1, 2) or mistaken or (samples.ndim == 2 and samples.shape[1] == 0):
        raise InputError(
            f"{side} samples",
            expected="shape [T] or [T, C], time first",
            found=f"shape {list(samples.shape)}",
            remedy="Transpose it, and score one clip at a time.",
        )
    return samples.astype(np.float64, copy=False)


def _rate(rate: int, side: str) -> int:
    if int(rate) != rate or rate <= 0:
        raise InputError(
            f"{side} sample rate", expected="a positive whole number of Hz", found=repr(rate)
        )
    return int(rate)


def _to_rate(samples: Samples, rate: int, to_rate: int, protocol: str) -> Samples:
    """The estimate's first channel at ``to_rate``."""
    if rate == to_rate or samples.ndim == 1 or protocol != STRICT:
        return audio.resample(audio.first_channel(samples), rate, to_rate)
    # The scripts resample the last axis, so that each frame's C channels become
    # ceil(C * to_rate / rate), of which the first is scored. Resampling is linear (to 1e-7: soxr
    # works in float32 at this quality): the responses to unit impulses hold the weights of that
    # first value, and a second of audio need not be 48 000 calls.
    weights = audio.resample(np.eye(samples.shape[1]), rate, to_rate)[0]
    return np.asarray(np.einsum("tc,c->t", samples, weights))
