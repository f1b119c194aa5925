"""SDR: how much of the estimate a 512-tap filter of the reference explains, in dB.

BSS Eval version 3 for one source (Vincent, Gribonval, Févotte, 2006), the ``mir_eval`` call of the
challenge. With ``g`` the autocorrelation of the reference ``r`` and ``d`` its correlation with the
estimate ``e``, both at lags 0..511, the filter ``h`` solves ``Toeplitz(g) h = d``; with
``p = r * h``, SDR is ``10 log10(|p|^2 / |e - p|^2)``.

Neither ``p`` nor long transforms are needed: ``|p|^2 = h'Gh``, ``|e - p|^2 = e'e - 2h'd + h'Gh``,
the correlations come from short blocks, and Levinson's recursion solves for ``h``. That agrees
with mir_eval to 1e-9 dB until rounding is a visible part of the residual; from there on
`_explicit` computes ``e - p``. Float32 and iterative solvers are not accurate enough (12 dB off
has been seen).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sqbench.metrics.base import Metric, Pair, Samples, Undefined
from sqbench.metrics.protocol import STRICT

TAPS = 512
IDENTICAL_DB = 100.0
UNRELATED_DB = -100.0

_FFT = 4096
_BLOCKS = 8  # blocks transformed at once: bounds memory on long audio, and stays in cache
_EPS = float(np.finfo(np.float64).eps)


class SDR(Metric):
    """Signal-to-distortion ratio with a 512-tap causal allowed filter, in dB.

    Above 100 dB the residual is rounding noise, different on each machine: the pair counts as
    identical, and has no value (``slt2024-strict`` returns the number).
    """

    name = "sdr"
    version = 1
    direction = "higher"
    bounds = (None, None)

    def measure(self, pair: Pair) -> float:
        """SDR in dB; see `Metric.measure`."""
        return defined_ratio(sdr(pair.reference, pair.estimate), pair.protocol)


def defined_ratio(value: float, protocol: str) -> float:
    """The rule for ratios in dB: what is made of rounding noise or infinite is no value.

    Independent noise stays above -40 dB; only signals that never overlap fall below -100 dB.
    """
    if value == float("inf"):
        raise Undefined("identical: the residual is exactly zero", identical=True)
    if value == float("-inf"):
        raise Undefined("nothing of the estimate is explained by the reference (-inf dB)")
    if not np.isfinite(value):
        raise Undefined("the ratio is not a number")
    if value > IDENTICAL_DB and protocol != STRICT:
        raise Undefined(
            f"identical: above {IDENTICAL_DB:g} dB the residual is rounding noise", identical=True
        )
    if value < UNRELATED_DB and protocol != STRICT:
        raise Undefined(
            f"nothing of the estimate is explained by the reference: below {UNRELATED_DB:g} dB "
            "what is explained is rounding noise"
        )
    return value


def require_sound(reference: Samples, estimate: Samples) -> None:
    """Raise Undefined where a side is zero everywhere (mir_eval raises ValueError there)."""
    for samples, side in ((reference, "reference"), (estimate, "estimate")):
        if not samples.any():
            raise Undefined(f"the {side} is silent (all zeros; official: ValueError)")


def sdr(reference: Samples, estimate: Samples) -> float:
    """SDR in dB of float64 ``[T]`` against float64 ``[T]``; may be infinite.

    Raises:
        Undefined: one of the two is zero everywhere.
    """
    require_sound(reference, estimate)
    g, d = correlations(reference, estimate)
    h = _solve(g, d)
    energy = float(np.sum(estimate * estimate))
    explained = float(np.sum(h * _apply(g, h)))
    residual = energy - 2 * float(np.sum(h * d)) + explained
    # Rounding of the terms above; the sum of |h| grows where the reference is band-limited.
    noise = _EPS * (energy + float(g[0]) * float(np.sum(np.abs(h))) ** 2)
    if residual < 1e6 * noise:
        explained, residual = _explicit(reference, estimate, h)
    if residual <= 0.0:
        return float("inf")
    if explained <= 0.0:
        return float("-inf")
    return 10 * float(np.log10(explained / residual))


def correlations(
    reference: Samples, estimate: Samples
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``sum r[t] r[t+k]`` and ``sum r[t] e[t+k]`` for k = 0..511, over blocks of the signal."""
    from scipy import fft

    step = _FFT - TAPS + 1
    count = -(-reference.shape[0] // step)
    padded = np.zeros((2, (count - 1) * step + _FFT))
    padded[0, : reference.shape[0]] = reference
    padded[1, : estimate.shape[0]] = estimate
    windows = np.lib.stride_tricks.sliding_window_view(padded, _FFT, axis=1)[:, ::step]
    total = np.zeros((2, _FFT // 2 + 1), dtype=np.complex128)
    for start in range(0, count, _BLOCKS):
        wide = windows[:, start : start + _BLOCKS]
        # A block's own samples, against themselves and the 511 that follow.
        own = np.conj(fft.rfft(wide[0, :, :step], _FFT, axis=-1))
        total += np.einsum("bf,sbf->sf", own, fft.rfft(wide, axis=-1))
    lags = fft.irfft(total, _FFT, axis=-1)[:, :TAPS]
    return lags[0], lags[1]


def _solve(g: NDArray[np.float64], d: NDArray[np.float64]) -> NDArray[np.float64]:
    """Levinson, or where that loses accuracy LU, or least squares: the official order."""
    from scipy import linalg

    try:
        h = linalg.solve_toeplitz(g, d)
    except np.linalg.LinAlgError:
        h = np.full_like(d, np.nan)
    # Levinson's recursion is not backward stable where the reference is narrow-band; LU is.
    error = np.max(np.abs(d - _apply(g, h)))
    if error <= 1e3 * _EPS * g[0] * np.sum(np.abs(h)):  # false for NaN
        return np.asarray(h)
    matrix = linalg.toeplitz(g)
    try:
        return np.asarray(np.linalg.solve(matrix, d))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(matrix, d)[0])


def _apply(g: NDArray[np.float64], h: NDArray[np.float64]) -> NDArray[np.float64]:
    """``Toeplitz(g) h``, through a circulant of twice the size."""
    from scipy import fft

    circulant = np.concatenate([g, [0.0], g[:0:-1]])
    product = fft.rfft(circulant) * fft.rfft(h, circulant.shape[0])
    return np.asarray(fft.irfft(product, circulant.shape[0])[: h.shape[0]])


def _explicit(reference: Samples, estimate: Samples, h: NDArray[np.float64]) -> tuple[float, float]:
    """``|p|^2`` and ``|e - p|^2`` from the projection itself, `n + 511` samples long."""
    from scipy import fft

    length = reference.shape[0] + TAPS - 1
    size = fft.next_fast_len(length, real=True)
    p = fft.irfft(fft.rfft(reference, size) * fft.rfft(h, size), size)[:length]
    explained = float(np.sum(p * p))
    p[: estimate.shape[0]] -= estimate
    return explained, float(np.sum(p * p))
