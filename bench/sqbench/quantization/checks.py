"""What results are held against: theory, this code's earlier values, and what others found.

`THEORY` holds for every correct implementation; its tolerances come from finite samples and from
Adam's noise, and are said beside each. `REGRESSION` is what this code does, each threshold with its
reason; both decide the exit status. `REPLICATION` holds the same results against the thresholds of
the design's prototype, an implementation of its own with sizes of its own: whether its findings are
seen again is reported, and decides nothing. ``docs/quantization.md`` has the measured values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sqbench.quantization.cell import Cell
from sqbench.quantization.experiment import QuantizationTrial
from sqbench.quantization.tables import Trials, values
from sqbench.quantization.verdict import (
    NOT_RUN,
    REGRESSION,
    REPLICATION,
    THEORY,
    Found,
    Verdict,
    absent,
    bounded,
    compared,
    difference,
    highest,
    judged,
    lowest,
    middle,
    short,
    span,
    within,
)

_SLACK_BITS = 0.02
_EXACT_DB = 60.0
"""SNR above which float32 decides the last digits of two ways to the same value."""
_STEADY = (0.25, 4.0)
"""Growth of latents that nothing pushes: they start at about unit deviation, and stay near it."""


class _Results:
    """Trials by what a check asks for."""

    def __init__(self, cells: Sequence[Cell], trials: Trials) -> None:
        self.cells, self.trials = cells, trials

    def find(self, **content: object) -> Found:
        """The one cell with these fields, with trials; others as they are by default."""
        plain = {
            "commitment": 0.0, "sharpness": None, "steps": Cell.steps, "restarts": True, **content
        }  # fmt: skip
        for cell in self.cells:
            if all(getattr(cell, name) == value for name, value in plain.items()):
                found = self.trials.get(cell.identity, ())
                return (cell, found) if found else None
        return None

    def every(
        self, wanted: Callable[[Cell], bool]
    ) -> Iterator[tuple[Cell, Sequence[QuantizationTrial]]]:
        for cell in self.cells:
            found = self.trials.get(cell.identity, ())
            if found and wanted(cell):
                yield cell, found


def check(cells: Sequence[Cell], trials: Trials) -> list[Verdict]:
    """All checks; those that lack results say so."""
    results = _Results(cells, trials)
    return [verdict for group in _CHECKS for verdict in group(results)]


def _at(bits: int, source_bits: int) -> dict[str, object]:
    return {"source": "alphabet", "source_bits": source_bits, "quantizer": "vq", "bits": bits}


def _as(kind: str, *verdicts: Verdict) -> Iterator[Verdict]:
    for verdict in verdicts:
        yield replace(verdict, kind=kind)


_Content = dict[str, object]
_COMMITTED: _Content = {"estimator": "ste", "commitment": 0.25}
_MSTE: _Content = {"estimator": "mste"}
_DIVEQ: _Content = {"estimator": "diveq"}
_SOFT: _Content = {"estimator": "soft"}
_GAUSSIAN_VQ: list[_Content] = [
    {"source": "gaussian", "quantizer": "vq", "bits": bits} for bits in (4, 8)
]
_NOISY = [_at(6, 6), *_GAUSSIAN_VQ]
_LOOSE = [_at(6, 4), *_NOISY]
"""Cells that are also trained without commitment loss; `_NOISY` lack a code for every point."""


def _pressure(r: _Results) -> Iterator[Verdict]:
    """Why latents grow: straight-through the quantization error is taken for fixed noise.

    Let g be the gradient at the decoder's input. A decoder that has found the scale of its input
    has sum(g q) = 0, so a gradient step changes the latents' scale by -sum(g z) = sum(g (q - z)):
    what the error costs, positive. mSTE's step is -sum(g (q - m)), 0. Adam's noise keeps both from
    being exact: half of the whole error is the tolerance. Without restarts, which disturb both.
    """
    what = "what the gradient adds to the latents' scale, over the error"
    ste, mste = (r.find(estimator=n, restarts=False, **_at(6, 6)) for n in ("ste", "mste"))
    yield from _as(
        THEORY,
        middle("B1", f"{what}: STE", ste, "scale_pressure", ">= 0.5", lambda v: v >= 0.5),
        middle("B2", f"{what}: mSTE", mste, "scale_pressure", "-0.5 to 0.5",
               lambda v: abs(v) <= 0.5),
    )  # fmt: skip


def _divergence(r: _Results) -> Iterator[Verdict]:
    """Growth without commitment, loss codebook.

    The encoder's output is a product of five factors that Adam moves by at most its learning rate a
    step: three matrices and two slopes. Pushed one way they grow with the step number, and the
    latents with its fifth power. Restarts put codes back among the latents, end the noise for a
    while, and with it the push: growth is then a matter of how often codes die.
    """
    free = r.find(estimator="ste", restarts=False, **_at(6, 6))
    kept = r.find(estimator="mste", restarts=False, **_at(6, 6))
    what = "growth of STE without commitment and restarts"
    yield from _as(THEORY, middle("B1", f"{what}, as a power of the step", free, "growth_exponent",
                                  "4 to 6", lambda v: 4 <= v <= 6))  # fmt: skip
    yield from _as(REGRESSION, lowest("B1", what, free, "growth", 1e4))
    yield from _as(REPLICATION, lowest("B1", what, free, "growth", 20.0))
    yield from _as(REGRESSION, within("B2", "growth of mSTE without restarts", kept, "growth",
                                      *_STEADY))  # fmt: skip
    for cell in _NOISY:
        found, other = r.find(estimator="ste", **cell), r.find(estimator="mste", **cell)
        what = "growth of STE without commitment"
        yield from _as(
            REGRESSION,
            compared("B1", f"{what}, over mSTE's", found, other, "growth", ">= 3",
                     lambda a, b: a >= 3 * b),
        )  # fmt: skip
        yield from _as(REPLICATION, lowest("B1", what, found, "growth", 20.0))
    spare = r.find(estimator="ste", **_at(6, 4))
    if spare is not None:  # codes start on every point, so there is no noise to outgrow
        text = span(values(spare[1], "growth"))
        yield Verdict(name="B1", what=f"growth of STE without commitment ({spare[0].label})",
                      measured=text, wanted="reported", passed=None)  # fmt: skip


def _stability(r: _Results) -> Iterator[Verdict]:
    for cell in _LOOSE:
        for label, how in (("mSTE", _MSTE), ("STE with commitment", _COMMITTED)):
            found = r.find(**how, **cell)
            what = f"growth of {label}"
            yield from _as(REGRESSION, within("B2", what, found, "growth", *_STEADY))
            yield from _as(REPLICATION, within("B2", what, found, "growth", 0.3, 3.0))


def _gain(r: _Results) -> Iterator[Verdict]:
    for cell in _LOOSE:
        found, other = r.find(estimator="mste", **cell), r.find(estimator="ste", **cell)
        what = "SNR of mSTE over STE"
        if cell in _NOISY:
            yield from _as(REGRESSION, difference("B3", what, found, other, "snr_db", 0.5))
        yield from _as(REPLICATION, difference("B3", what, found, other, "snr_db", 3.0))


def _averages(r: _Results) -> Iterator[Verdict]:
    cell: _Content = {**_at(6, 6), "quantizer": "vq-ema"}
    ste, mste = r.find(estimator="ste", **cell), r.find(estimator="mste", **cell)
    what = "growth of STE over mSTE's, averaged codebook"
    for kind, least in ((REGRESSION, 1.2), (REPLICATION, 2.0)):

        def apart(a: float, b: float, least: float = least) -> bool:
            return a >= least * b

        verdict = compared("B4", what, ste, mste, "growth", f">= {least:g}", apart)
        yield from _as(kind, verdict)


def _ranking(r: _Results) -> Iterator[Verdict]:
    for name, how in (
        ("STE with commitment", _COMMITTED),
        ("mSTE", _MSTE),
        ("DiVeQ", _DIVEQ),
        ("soft", _SOFT),
    ):
        found = r.find(**how, **_at(6, 6))
        if found is None:
            yield absent("B5", name)
        else:
            text = span(values(found[1], "snr_db"))
            yield Verdict(name="B5", what=f"SNR of {name}, {found[0].source_name}, 6 bits",
                          measured=text, wanted="reported", passed=None)  # fmt: skip


def _accounting(r: _Results) -> Iterator[Verdict]:
    """No index has more entropy than the source or the code has bits; counts add rounding."""
    excess = [
        (entropy - min(cell.source_bits or cell.rate_bits, cell.rate_bits), cell.label)
        for cell, found in r.every(lambda cell: True)
        for entropy in values(found, "entropy_bits")
    ]
    what = "index entropy over what is possible"
    if excess:
        worst, where = max(excess)
        yield from _as(THEORY, judged("B6", f"{what} ({where})", worst, f"<= {_SLACK_BITS}",
                                      worst <= _SLACK_BITS))  # fmt: skip
    else:
        yield absent("B6", what)
    spare = r.find(estimator="ste", commitment=0.25, **_at(6, 4))
    for kind in (REGRESSION, REPLICATION):
        yield from _as(
            kind,
            lowest("B6", "entropy, codes to spare", spare, "entropy_bits", 3.9),
            lowest("B6", "SNR, codes to spare", spare, "snr_db", 25.0),
        )


def _forward(r: _Results) -> Iterator[Verdict]:
    """STE, mSTE and the rotation trick decode hard values in training: no gap to the quantizer."""
    hard = ("ste", "mste", "mste-global", "rotation")
    gaps = [
        (abs(gap), cell.label)
        for cell, found in r.every(lambda c: c.estimator in hard and c.quantizer != "rvq-dropout")
        for gap, snr in zip(
            values(found, "train_test_gap_db"), values(found, "snr_db"), strict=False
        )
        if snr < _EXACT_DB
    ]
    what = "SNR in training against the hard quantizer's, estimators of hard values"
    if not gaps:
        yield absent("B14", what)
        return
    worst, where = max(gaps)
    yield from _as(THEORY, judged("B14", f"{what} ({where})", worst, "<= 0.05", worst <= 0.05))


def _knee(r: _Results) -> Iterator[Verdict]:
    for low, high in ((2, 4), (4, 6)):
        found = r.find(estimator="ste", commitment=0.25, **_at(high, 4))
        other = r.find(estimator="ste", commitment=0.25, **_at(low, 4))
        for kind in (REGRESSION, REPLICATION):
            yield from _as(kind, difference("B7", f"SNR from {low} to {high} bits", found, other,
                                            "snr_db", 5.0))  # fmt: skip


def _alphabet_bound(r: _Results) -> Iterator[Verdict]:
    def below(cell: Cell) -> bool:
        return cell.source == "alphabet" and cell.rate_bits < cell.source_bits

    # The best of 500 runs of k-means is near the optimum and no proof of it.
    yield from _as(REGRESSION, bounded("B8", "SNR over k-means of the points", r.every(below), 0.3))


def _rate_distortion(r: _Results) -> Iterator[Verdict]:
    """No code is above Shannon's bound; 0.1 dB is ten deviations of 16384 frames' mean error."""
    found = r.every(lambda cell: cell.source != "alphabet")
    yield from _as(THEORY, bounded("B9", "SNR over Shannon's bound", found, 0.1))
    for cell, most in zip(_GAUSSIAN_VQ, (1.0, 2.0), strict=True):
        for how in (_COMMITTED, _MSTE, _DIVEQ):
            for kind in (REGRESSION, REPLICATION):
                yield from _as(kind, short("B9", "SNR below k-means of samples",
                                           r.find(**how, **cell), most))  # fmt: skip


def _fsq(r: _Results) -> Iterator[Verdict]:
    fsq: _Content = {"source": "gaussian", "quantizer": "fsq"}
    noise = r.find(estimator="uniform", levels=2, **fsq)
    ste = r.find(estimator="ste", levels=2, **fsq)
    for kind in (REGRESSION, REPLICATION):
        for levels, most in ((4, 0.8), (8, 1.6)):
            found = r.find(estimator="ste", levels=levels, **fsq)
            yield from _as(kind, short("B10", "SNR of STE below Lloyd-Max", found, most))
        yield from _as(
            kind,
            short("B10", "SNR of uniform noise below Lloyd-Max", noise, 0.4),
            difference("B10", "SNR of uniform noise over STE", noise, ste, "snr_db", 0.4),
        )


def _fsq_uniform(r: _Results) -> Iterator[Verdict]:
    fsq: _Content = {"source": "uniform", "quantizer": "fsq"}
    ste = r.find(estimator="ste", levels=4, **fsq)
    noise = r.find(estimator="uniform", levels=2, **fsq)
    for kind in (REGRESSION, REPLICATION):
        yield from _as(
            kind,
            short("B11", "SNR of STE below a uniform quantizer's", ste, 1.1),
            short("B11", "SNR of uniform noise below a uniform quantizer's", noise, 0.5),
        )


def _escape(r: _Results) -> Iterator[Verdict]:
    """Annealing is linear where latents are small against a step: an encoder that shrinks them is
    never quantized in training. In units of the latents' own variance there is no such place."""
    fsq: _Content = {"source": "gaussian", "quantizer": "fsq"}
    found, vq = r.find(estimator="soft", levels=2, **fsq), r.find(estimator="soft", **_at(6, 6))
    deviation = f"latent_std@{Cell.steps}"
    for kind in (REGRESSION, REPLICATION):
        yield from _as(
            kind,
            highest("B12", "latent deviation of annealing", found, deviation, 0.2),
            highest("B12", "SNR of annealing that the encoder evades", found, "snr_db", 1.0),
        )
    what = "annealing in units of the variance"
    yield from _as(REGRESSION, lowest("B12", f"latent deviation of {what}", vq, deviation, 0.4))
    yield from _as(REPLICATION, lowest("B12", f"SNR of {what}", vq, "snr_db", 9.0))


def _emulation(r: _Results) -> Iterator[Verdict]:
    found, other = r.find(estimator="gaussian", **_at(6, 6)), r.find(estimator="mste", **_at(6, 6))
    for kind in (REGRESSION, REPLICATION):
        yield from _as(
            kind,
            lowest("B13", "growth of normal emulation", found, "growth", 5.0),
            difference("B13", "SNR of mSTE over normal emulation", other, found, "snr_db", 1.5),
        )


_CHECKS: tuple[Callable[[_Results], Iterator[Verdict]], ...] = (
    _pressure, _divergence, _stability, _gain, _averages, _ranking, _accounting, _forward, _knee,
    _alphabet_bound, _rate_distortion, _fsq, _fsq_uniform, _escape, _emulation,
)  # fmt: skip


def render(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as aligned lines by kind, and a sum; those without results are counted alone."""
    lines: list[str] = []
    kinds = {
        THEORY: "Theory: holds for every correct implementation",
        REGRESSION: "Regression: what this code does, with a margin",
        REPLICATION: "Replication: what the design's prototype found; no failure if not seen here",
        "": "Reported",
    }
    for kind, title in kinds.items():
        mine = [v for v in verdicts if v.kind == kind and v.measured != NOT_RUN]
        if mine:
            lines += [title, *(_line(v) for v in mine)]
    held = sum(v.passed is True and v.kind != REPLICATION for v in verdicts)
    failed = sum(v.fails for v in verdicts)
    seen = [v.passed for v in verdicts if v.kind == REPLICATION and v.passed is not None]
    absent = sum(v.measured == NOT_RUN for v in verdicts)
    lines.append(
        f"{held} checks hold, {failed} fail, {absent} lack their cells; "
        f"{sum(seen)} of {len(seen)} findings seen again"
    )
    return "\n".join(lines) + "\n"


def _line(v: Verdict) -> str:
    return f"  {v.name:4}{v.word:8}{v.measured:>18}  {v.wanted:12} {v.what}"
