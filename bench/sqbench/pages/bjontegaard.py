"""Bjøntegaard's deltas between two rate-quality curves: how many bits less, how much more quality.

Each curve is interpolated through its points, ``log10`` of the rate over the quality for the rate
delta, the quality over ``log10`` of the rate for the quality delta; the delta is the mean distance
of the curves over the range that both cover (Bjøntegaard 2001, VCEG-M33). Interpolation is
piecewise cubic: ``pchip`` (Fritsch and Carlson 1980), as in the common test conditions of JCT-VC
and JVET (JCTVC-L1100, JVET-T2010), or ``akima`` (Akima 1970), which Herglotz et al. (arXiv
2304.12852) found to be the more accurate one. Any number of curves is computed at once, as
intervals need thousands.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Method = Literal["pchip", "akima"]
METHODS: tuple[Method, ...] = ("pchip", "akima")
Values = NDArray[np.float64]


def rate_delta(
    anchor_bps: Values, anchor: Values, test_bps: Values, test: Values, method: Method = "pchip"
) -> Values:
    """How many percent more bits than the anchor the test takes for the same quality.

    Args:
        anchor_bps: bits a second ``[n]``, ascending, n >= 2; ``test_bps`` ``[m]`` alike.
        anchor: qualities at these ``[..., n]``, higher being better; ``test`` ``[..., m]`` alike.
        method: how curves are interpolated.

    Returns:
        Percent ``[...]``, negative where the test needs less. NaN where a quality does not rise
        with the rate, so that no rate belongs to it, or the qualities have no range in common.
    """
    one, other = _broadcast(np.log10(anchor_bps), anchor), _broadcast(np.log10(test_bps), test)
    mean = _mean_distance(anchor, one, test, other, method)
    rises = np.all(np.diff(anchor) > 0, axis=-1) & np.all(np.diff(test) > 0, axis=-1)
    percent: Values = np.where(rises, 100.0 * (10.0**mean - 1.0), np.nan)
    return percent


def quality_delta(
    anchor_bps: Values, anchor: Values, test_bps: Values, test: Values, method: Method = "pchip"
) -> Values:
    """How much higher the test's quality is than the anchor's at the same rate.

    Args:
        anchor_bps: see `rate_delta`; here the qualities need not rise, nor be better when higher.

    Returns:
        In the unit of the quality ``[...]``; NaN where the rates have no range in common.
    """
    one, other = _broadcast(np.log10(anchor_bps), anchor), _broadcast(np.log10(test_bps), test)
    return _mean_distance(one, anchor, other, test, method)


def overlap(anchor: Values, test: Values) -> float:
    """The share of the range of two curves (of either axis) that both of them cover."""
    both = min(anchor.max(), test.max()) - max(anchor.min(), test.min())
    either = max(anchor.max(), test.max()) - min(anchor.min(), test.min())
    return max(0.0, float(both / either)) if either > 0 else 0.0


def _broadcast(x: Values, like: Values) -> Values:
    return np.broadcast_to(x, like.shape)


def _mean_distance(x1: Values, y1: Values, x2: Values, y2: Values, method: Method) -> Values:
    """Mean of curve 2 minus curve 1 over the range of x that both cover, ``[...]``."""
    low = np.maximum(x1.min(axis=-1), x2.min(axis=-1))
    high = np.minimum(x1.max(axis=-1), x2.max(axis=-1))
    # Where x does not ascend there is no curve: the caller answers NaN, whatever comes out here.
    with np.errstate(divide="ignore", invalid="ignore"):
        first = _integral(x1, y1, low, high, method)
        second = _integral(x2, y2, low, high, method)
        mean: Values = np.where(high > low, (second - first) / (high - low), np.nan)
    return mean


def _integral(x: Values, y: Values, low: Values, high: Values, method: Method) -> Values:
    """Of the interpolated curve from ``low`` to ``high`` ``[...]``, inside ``x`` ``[..., n]``."""
    h = np.diff(x)
    step = np.diff(y)
    slope = _slopes(h, step / h, method)
    left, right = slope[..., :-1] * h, slope[..., 1:] * h
    square, cube = 3 * step - 2 * left - right, left + right - 2 * step

    def antiderivative(t: Values) -> Values:
        return h * t * (y[..., :-1] + t * (left / 2 + t * (square / 3 + t * cube / 4)))

    begin = np.clip((low[..., None] - x[..., :-1]) / h, 0.0, 1.0)
    end = np.clip((high[..., None] - x[..., :-1]) / h, 0.0, 1.0)
    total: Values = np.sum(antiderivative(end) - antiderivative(begin), axis=-1)
    return total


def _slopes(h: Values, m: Values, method: Method) -> Values:
    """Of the curve at its points ``[..., n]``, by the pieces' widths, slopes ``[..., n - 1]``."""
    if m.shape[-1] == 1:
        return np.concatenate([m, m], axis=-1)
    return _pchip(h, m) if method == "pchip" else _akima(m)


def _pchip(h: Values, m: Values) -> Values:
    """Weighted harmonic means of neighbours, 0 at an extreme, three-point rule at the ends."""
    before, after = m[..., :-1], m[..., 1:]
    first, second = 2 * h[..., 1:] + h[..., :-1], h[..., 1:] + 2 * h[..., :-1]
    same = before * after > 0
    inner = np.where(
        same, (first + second) / (first / before + second / after), np.zeros_like(before)
    )

    def end(h0: Values, h1: Values, m0: Values, m1: Values) -> Values:
        d = ((2 * h0 + h1) * m0 - h0 * m1) / (h0 + h1)
        d = np.where(np.sign(d) != np.sign(m0), 0.0, d)
        steep = (np.sign(m0) != np.sign(m1)) & (np.abs(d) > 3 * np.abs(m0))
        limited: Values = np.where(steep, 3 * m0, d)[..., None]
        return limited

    start = end(h[..., 0], h[..., 1], m[..., 0], m[..., 1])
    stop = end(h[..., -1], h[..., -2], m[..., -1], m[..., -2])
    return np.concatenate([start, inner, stop], axis=-1)


def _akima(m: Values) -> Values:
    """Each neighbour weighs as the slopes on the other side change; two more pieces at each end."""
    a = 2 * m[..., :1] - m[..., 1:2]
    b = 2 * m[..., -1:] - m[..., -2:-1]
    wide = np.concatenate([2 * a - m[..., :1], a, m, b, 2 * b - m[..., -1:]], axis=-1)
    change = np.abs(np.diff(wide))
    left, right = change[..., :-2], change[..., 2:]
    total = left + right
    # On a straight line nothing changes and the weights are 0 / 0: SciPy's rule and threshold.
    curved = total > 1e-9 * total.max(axis=-1, keepdims=True)
    bent = wide[..., 1:-2] + left / np.where(curved, total, 1.0) * (
        wide[..., 2:-1] - wide[..., 1:-2]
    )
    slopes: Values = np.where(curved, bent, 0.5 * (wide[..., 3:] + wide[..., :-3]))
    return slopes
