"""Reference lines, in dB of SNR at unit power: what no quantizer exceeds, and what good ones reach.

Rates are bits per component. Shannon: Cover & Thomas, chapter 10. Lloyd-Max quantizers are found
by fixed-point iteration of centroids, uniform ones by a search for the step, vector quantizers by
k-means (LBG, Linde et al. 1980): near the optimum, and no proof of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import toeplitz
from scipy.optimize import brentq, minimize_scalar
from scipy.special import digamma, gammaln, ndtr, ndtri
from torch import Tensor

from sqbench.quantization.draws import Draws
from sqbench.quantization.sources import CORRELATION, DEGREES, SOURCES

DB_PER_BIT = 20 * math.log10(2)
_UNIFORM_SHAPE_DB = 10 * math.log10(math.pi * math.e / 6)  # of a uniform source over a normal one


def decibels(mse: float) -> float:
    """SNR in dB of a mean squared error at unit power; infinite for 0."""
    return math.inf if mse == 0 else -10 * math.log10(mse)


def shannon_gaussian_db(rate: float) -> float:
    """The highest SNR of a normal source at ``rate`` bits per component."""
    return DB_PER_BIT * rate


def shannon_uniform_db(rate: float) -> float:
    """An SNR that a uniform source cannot exceed (Shannon's lower bound; loose at low rates)."""
    return DB_PER_BIT * rate + _UNIFORM_SHAPE_DB


def shannon_correlated_db(rate: float, width: int) -> float:
    """The highest SNR of ``width`` successive samples of `sources.Correlated` coded as one frame.

    Reverse water-filling over the eigenvalues of their covariance: what a coder that sees one
    frame at a time is bound by. With memory over frames more is possible, at most
    `shannon_gaussian_db` plus ``-10 log10(1 - CORRELATION^2)`` where every component is coded.
    """
    powers = np.linalg.eigvalsh(toeplitz(CORRELATION ** np.arange(width)))

    def excess(level: float) -> float:
        return float(0.5 * np.log2(np.maximum(powers / level, 1)).sum()) - rate * width

    level = brentq(excess, 1e-12, powers.max(), xtol=1e-15)
    return decibels(float(np.minimum(powers, level).mean()))


def shannon_student_db(rate: float, width: int) -> float:
    """An SNR that `sources.Student` cannot exceed (Shannon's lower bound, from its entropy)."""
    n, half = DEGREES, (DEGREES + width) / 2
    nats = -gammaln(half) + gammaln(n / 2) + width / 2 * math.log((n - 2) * math.pi)
    nats += half * (digamma(half) - digamma(n / 2))
    return (
        DB_PER_BIT * rate
        + 10 * math.log10(2 * math.pi * math.e)
        - 20 * math.log10(math.e) * (float(nats) / width)
    )


def shannon_db(source: str, width: int, rate: float) -> float:
    """The bound of a source of `sources.SOURCES` at ``rate`` bits per component."""
    if source == "correlated":
        return shannon_correlated_db(rate, width)
    if source == "student":
        return shannon_student_db(rate, width)
    return shannon_gaussian_db(rate) if source == "gaussian" else shannon_uniform_db(rate)


@dataclass(frozen=True, kw_only=True)
class BestScalarQuantizer:
    """A quantizer of a standard normal variable.

    Attributes:
        mse: mean squared error.
        entropy_bits: of its index.
        levels: reconstruction values, ascending.
    """

    mse: float
    entropy_bits: float
    levels: tuple[float, ...]

    @property
    def snr_db(self) -> float:
        return decibels(self.mse)


@cache
def lloyd_max(count: int) -> BestScalarQuantizer:
    """The best scalar quantizer of ``count`` levels for a normal source."""
    # The optimal point density at high rate is a normal one of variance 3: near the end already.
    levels = math.sqrt(3) * ndtri((np.arange(count) + 0.5) / count)
    for _ in range(100_000):
        edges = _midpoints(levels)
        mass, moment = np.diff(ndtr(edges)), -np.diff(_density(edges))
        moved = moment / mass
        change = np.abs(moved - levels).max()
        levels = moved
        if change < 1e-9:
            break
    return _scalar(levels, _midpoints(levels))


@cache
def best_uniform(count: int) -> tuple[BestScalarQuantizer, float]:
    """The best quantizer of ``count`` equally spaced levels for a normal source, and its step."""
    grid = np.arange(count, dtype=np.float64) - (count - 1) / 2

    def quantizer(step: float) -> BestScalarQuantizer:
        levels = np.asarray(step * grid, dtype=np.float64)
        return _scalar(levels, _midpoints(levels))

    def error(step: float) -> float:
        return quantizer(step).mse

    found = minimize_scalar(error, bracket=(0.01, 4 / count), method="golden", tol=1e-8)
    step = float(found.x)
    return quantizer(step), step


def _midpoints(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([[-np.inf], (levels[1:] + levels[:-1]) / 2, [np.inf]])


def _density(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi))


def _scalar(levels: NDArray[np.float64], edges: NDArray[np.float64]) -> BestScalarQuantizer:
    mass, moment = np.diff(ndtr(edges)), -np.diff(_density(edges))
    mse = 1.0 + float((mass * levels**2 - 2 * moment * levels).sum())
    used = mass[mass > 0]
    return BestScalarQuantizer(
        mse=mse,
        entropy_bits=float(-(used * np.log2(used)).sum()),
        levels=tuple(map(float, levels)),
    )


def kmeans(
    points: Tensor, count: int, *, restarts: int, generator: torch.Generator, rounds: int = 200
) -> tuple[Tensor, float]:
    """The best of several k-means runs.

    Args:
        points: ``[n, F]``.

    Returns:
        Centres ``[count, F]``, and the mean squared error per component.
    """
    n, width = points.shape
    picks = torch.stack([torch.randperm(n, generator=generator)[:count] for _ in range(restarts)])
    centres = points[picks]
    power = points.square().sum(-1).mean()
    best = torch.full((restarts,), math.inf, dtype=points.dtype)
    for _ in range(rounds):
        score = centres @ points.mT - 0.5 * centres.square().sum(-1, keepdim=True)
        value, index = score.max(1)
        error = (power - 2 * value.mean(-1)) / width
        if bool((error > best - 1e-7 * best.abs()).all()):
            break
        best = torch.minimum(best, error)
        sums = torch.zeros_like(centres)
        sums.scatter_add_(
            1, index[..., None].expand(-1, -1, width), points.expand(restarts, -1, -1)
        )
        counts = torch.zeros(restarts, count, 1, dtype=points.dtype)
        counts.scatter_add_(1, index[..., None], torch.ones(restarts, n, 1, dtype=points.dtype))
        centres = torch.where(counts > 0, sums / counts.clamp_min(1), centres)
    winner = int(best.argmin())
    return centres[winner], max(0.0, float(best[winner]))


_VECTOR_DB = {
    ("gaussian", 4, 16): 4.66,
    ("gaussian", 4, 256): 10.06,
    ("correlated", 4, 16): 10.18,
    ("correlated", 4, 256): 15.60,
    ("student", 4, 16): 3.65,
    ("student", 4, 256): 8.59,
}
"""What `measured_vector_db` gives, which takes seconds; by source, width and number of codes."""


def vector_db(source: str, width: int, count: int) -> float:
    """SNR of ``count`` codes for frames of a source other than an alphabet, by k-means."""
    known = _VECTOR_DB.get((source, width, count))
    return measured_vector_db(source, width, count) if known is None else known


@cache
def measured_vector_db(source: str, width: int, count: int) -> float:
    """`vector_db`, computed; on fresh samples."""
    made = SOURCES[source](Draws([0], "source"), width)
    draws = Draws([0], "evaluation")
    sample = made.evaluation(draws, max(1 << 14, 160 * count))[0][0]
    generator = torch.Generator().manual_seed(0)
    centres, _ = kmeans(sample, count, restarts=1, generator=generator, rounds=60)
    error = 0.0
    for _ in range(8):
        fresh = made.evaluation(draws, 1 << 14)[0][0]
        error += float(torch.cdist(fresh, centres).min(-1).values.square().mean()) / width / 8
    return decibels(error)


def alphabet_db(points: Tensor, count: int, seed: int) -> float:
    """SNR of the best of 500 k-means runs over an alphabet's points ``[2**bits, F]``, dB."""
    generator = torch.Generator().manual_seed(seed)
    _, error = kmeans(points.double(), count, restarts=500, generator=generator)
    return decibels(error)
