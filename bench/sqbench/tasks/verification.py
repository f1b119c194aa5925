"""Speaker verification: equal error rate by two rules, minimum detection cost.

The protocol's rule takes the point of scikit-learn's ROC curve (collinear points left out) where
false acceptance and false rejection are nearest to each other, and the larger of the two: no
interpolation, so with all scores equal it says 100 %. The interpolated rate is where the curve,
its points joined by straight lines, crosses the diagonal: 50 % with all scores equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Labels = NDArray[np.bool_]

DCF_P_TARGET = 0.05
"""The protocol's prior of a target trial; both errors cost 1."""


@dataclass(frozen=True)
class Curve:
    """Error rates as the threshold falls: ``[points]`` or ``[resamples, points]``.

    Attributes:
        fpr: false acceptance, from 0 to 1.
        fnr: false rejection, from 1 to 0.
    """

    fpr: NDArray[np.float64]
    fnr: NDArray[np.float64]


class Sweep:
    """Scores of trials, sorted once; curves of any weighting of the trials.

    Args:
        scores: ``[trials]``, higher for the same speaker.
        labels: ``[trials]``, whether it is the same speaker.
    """

    def __init__(self, scores: Scores, labels: Labels) -> None:
        self.order = np.argsort(-scores, kind="stable")
        self.labels = labels[self.order]
        ordered = scores[self.order]
        self.ends = np.r_[np.flatnonzero(np.diff(ordered)), len(ordered) - 1]

    def curve(self, weights: NDArray[np.float64] | None = None) -> Curve:
        """The curve at every distinct score; with ``weights`` ``[resamples, trials]``, of each.

        Rates are NaN where there is no trial of a kind.
        """
        if weights is None:
            weights = np.ones((1, len(self.order)))
            return Curve(*(rate[0] for rate in self._rates(weights)))
        return Curve(*self._rates(weights))

    def _rates(
        self, weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        ordered = weights[:, self.order]
        accepted = np.cumsum(ordered * ~self.labels, axis=1)[:, self.ends]
        found = np.cumsum(ordered * self.labels, axis=1)[:, self.ends]
        with np.errstate(invalid="ignore", divide="ignore"):
            fpr = accepted / accepted[:, -1:]
            fnr = 1.0 - found / found[:, -1:]
        start = np.zeros((len(weights), 1))
        return np.hstack([start, fpr]), np.hstack([start + 1.0, fnr])


def eer_protocol(scores: Scores, labels: Labels) -> float:
    """Equal error rate, 0 to 1, by the protocol's rule; NaN without trials of both kinds."""
    if not (labels.any() and (~labels).any()):
        return float("nan")
    curve = Sweep(scores, labels).curve()
    # roc_curve drops points between equal steps before it adds the one at the origin.
    fpr, tpr = curve.fpr[1:], 1.0 - curve.fnr[1:]
    if len(fpr) > 2:
        # Counts are whole numbers; differences of rates are not exactly zero.
        fps, tps = np.rint(fpr * np.sum(~labels)), np.rint(tpr * np.sum(labels))
        kept = np.r_[True, (np.diff(fps, 2) != 0) | (np.diff(tps, 2) != 0), True]
        fpr, tpr = fpr[kept], tpr[kept]
    fpr, fnr = np.r_[0.0, fpr], np.r_[1.0, 1.0 - tpr]
    nearest = int(np.argmin(np.abs(fnr - fpr)))
    return float(max(fpr[nearest], fnr[nearest]))


def eer(curve: Curve) -> NDArray[np.float64]:
    """Interpolated equal error rate, 0 to 1, of a curve or of each of several; NaN if undefined."""
    fpr, fnr = np.atleast_2d(curve.fpr), np.atleast_2d(curve.fnr)
    gap = fnr - fpr  # falls from 1 to -1
    after = np.argmax(gap <= 0, axis=1)  # the first point at the diagonal or beyond
    rows = np.arange(len(gap))
    before = np.maximum(after - 1, 0)
    step = gap[rows, before] - gap[rows, after]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = gap[rows, before] / step
        value = fpr[rows, before] + share * (fpr[rows, after] - fpr[rows, before])
    return np.where(np.isfinite(gap).all(axis=1), value, np.nan)


def nearest(curve: Curve) -> NDArray[np.float64]:
    """The protocol's rule on each of several curves, collinear points not left out."""
    fpr, fnr = np.atleast_2d(curve.fpr), np.atleast_2d(curve.fnr)
    gap = np.abs(fnr - fpr)
    undefined = ~np.isfinite(gap).all(axis=1)
    rows, at = np.arange(len(gap)), np.argmin(np.where(undefined[:, None], 0.0, gap), axis=1)
    return np.where(undefined, np.nan, np.maximum(fpr[rows, at], fnr[rows, at]))


def min_dcf(curve: Curve, p_target: float = DCF_P_TARGET) -> float:
    """Smallest detection cost over thresholds, as a share of the best cost without listening."""
    cost = p_target * curve.fnr + (1.0 - p_target) * curve.fpr
    return float(np.min(cost) / min(p_target, 1.0 - p_target))
