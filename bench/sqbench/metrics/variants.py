"""Sounder or well-known variants beside the protocol's metrics, each under its own name.

They are never mixed into the protocol's columns: `stoi-pystoi` differs from `stoi` by up to 6e-4,
for one. `pesq-resampled` lives beside its engine in `sqbench.metrics.pesq`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from sqbench.metrics.base import Metric, Pair, Samples, Undefined
from sqbench.metrics.sdr import defined_ratio, require_sound


@contextmanager
def _fixed_seed() -> Iterator[None]:
    """pystoi's extended form adds noise of 1e-16 from NumPy's global generator: same each time."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


class PystoiSTOI(Metric):
    """STOI by the ``pystoi`` package, which follows its authors' MATLAB in Octave."""

    name = "stoi-pystoi"
    version = 1
    direction = "higher"
    bounds = (-1.0, 1.0)
    categories = ("speech",)
    extended = False

    def measure(self, pair: Pair) -> float:
        """See `Metric.measure`."""
        from pystoi import stoi

        require_sound(pair.reference, pair.estimate)
        with warnings.catch_warnings(), _fixed_seed():
            # Too few frames give a warning and the value 1e-5, which is no measurement.
            warnings.filterwarnings("error", message="Not enough STFT frames")
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            try:
                value = stoi(
                    pair.reference, pair.estimate, pair.sample_rate, extended=self.extended
                )
            except RuntimeWarning:
                raise Undefined("fewer than 30 frames are left without the silence") from None
            except (ValueError, IndexError) as error:  # numpy's AxisError on very short input
                raise Undefined(f"too short for pystoi ({type(error).__name__}: {error})") from None
        if not np.isfinite(value):
            raise Undefined("pystoi gives NaN")
        return float(value)


class ExtendedSTOI(PystoiSTOI):
    """Extended STOI (Jensen and Taal, 2016), by the ``pystoi`` package."""

    name = "estoi"
    extended = True


class SISDR(Metric):
    """Scale-invariant SDR (Le Roux et al., "SDR: half-baked or well done?", 2019), in dB.

    Means are removed first, as the paper assumes. Unlike `sdr` there is no filter: any delay
    costs.
    """

    name = "si-sdr"
    version = 1
    direction = "higher"
    bounds = (None, None)

    def measure(self, pair: Pair) -> float:
        """See `Metric.measure`."""
        return si_sdr(pair.reference, pair.estimate, pair.protocol)


def si_sdr(reference: Samples, estimate: Samples, protocol: str) -> float:
    """SI-SDR in dB of ``[T]`` against ``[T]``.

    Raises:
        Undefined: a side is silent or constant, or the ratio is no measurement (`defined_ratio`).
    """
    raw = {"reference": reference, "estimate": estimate}
    reference, estimate = reference - np.mean(reference), estimate - np.mean(estimate)
    for samples, (side, before) in zip((reference, estimate), raw.items(), strict=True):
        if np.sum(samples * samples) <= np.finfo(np.float64).eps * np.sum(before * before):
            raise Undefined(f"the {side} is silent or constant")
    target = np.sum(reference * estimate) / np.sum(reference * reference) * reference
    error = estimate - target
    with np.errstate(divide="ignore"):
        ratio = np.sum(target * target) / np.sum(error * error)
        return defined_ratio(float(10 * np.log10(ratio)), protocol)


class MirEvalSDR(Metric):
    """SDR by ``mir_eval`` itself: the slow reference of `sdr`, to check it against."""

    name = "sdr-mir_eval"
    version = 1
    direction = "higher"
    bounds = (None, None)

    def measure(self, pair: Pair) -> float:
        """SDR in dB; see `Metric.measure`."""
        from mir_eval.separation import bss_eval_sources

        require_sound(pair.reference, pair.estimate)
        with warnings.catch_warnings():
            # mir_eval announces that this module will go; pyproject.toml bounds its version.
            warnings.simplefilter("ignore")
            value = bss_eval_sources(
                pair.reference[None], pair.estimate[None], compute_permutation=False
            )[0][0]
        return defined_ratio(float(value), pair.protocol)
