"""What a correct implementation must reproduce, and whether results do.

Each check compares cells of the default matrix (B13: of the extended one). Thresholds were frozen
after measuring them with this code on seven seeds; `docs/quantization.md` has the measured values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sqbench.quantization.cell import Cell
from sqbench.quantization.experiment import Trial
from sqbench.quantization.tables import Trials, median, values
from sqbench.quantization.verdict import (
    NOT_RUN,
    Found,
    Verdict,
    absent,
    bounded,
    difference,
    highest,
    judged,
    lowest,
    short,
    span,
    within,
)

_SLACK_BITS = 0.02


class _Results:
    """Trials by what a check asks for."""

    def __init__(self, cells: Sequence[Cell], trials: Trials) -> None:
        self.cells, self.trials = cells, trials

    def find(self, **content: object) -> Found:
        """The one cell with these fields, with trials; others as they are by default."""
        plain = {"commitment": 0.0, "sharpness": None, "steps": Cell.steps} | content
        for cell in self.cells:
            if all(getattr(cell, name) == value for name, value in plain.items()):
                found = self.trials.get(cell.identity, ())
                return (cell, found) if found else None
        return None

    def every(self, wanted: Callable[[Cell], bool]) -> Iterator[tuple[Cell, Sequence[Trial]]]:
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


def _divergence(r: _Results) -> Iterator[Verdict]:
    for cell in _NOISY:
        found = r.find(estimator="ste", **cell)
        yield lowest("B1", "growth of STE without commitment", found, "growth", 8.0)
    spare = r.find(estimator="ste", **_at(6, 4))
    if spare is not None:  # codes start on every point, so there is no noise to outgrow
        text = span(values(spare[1], "growth"))
        yield Verdict(name="B1", what=f"growth of STE without commitment ({spare[0].label})",
                      measured=text, wanted="reported", passed=None)  # fmt: skip


def _stability(r: _Results) -> Iterator[Verdict]:
    for cell in _LOOSE:
        for label, how in (("mSTE", _MSTE), ("STE with commitment", _COMMITTED)):
            found = r.find(**how, **cell)
            yield within("B2", f"growth of {label}", found, "growth", 0.3, 4.5)


def _gain(r: _Results) -> Iterator[Verdict]:
    for cell in _LOOSE:
        found, other = r.find(estimator="mste", **cell), r.find(estimator="ste", **cell)
        yield difference("B3", "SNR of mSTE over STE", found, other, "snr_db", 1.5)


def _averages(r: _Results) -> Iterator[Verdict]:
    cell: _Content = {**_at(6, 6), "quantizer": "vq-ema"}
    ste, mste = r.find(estimator="ste", **cell), r.find(estimator="mste", **cell)
    what = "median growth of STE over mSTE, averaged codebook"
    if ste is None or mste is None:
        yield absent("B4", what)
        return
    a, b = median(ste[1], "growth"), median(mste[1], "growth")
    ratio = a / b if a is not None and b else None
    yield judged("B4", what, ratio, ">= 1.5", ratio is not None and ratio >= 1.5)


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
    worst, where = 0.0, "no cells"
    for cell, found in r.every(lambda cell: True):
        most = min(cell.source_bits or cell.rate_bits, cell.rate_bits)
        for entropy in values(found, "entropy_bits"):
            if where == "no cells" or entropy - most > worst:
                worst, where = entropy - most, cell.label
    yield judged("B6", f"index entropy over what is possible ({where})", worst,
                   f"<= {_SLACK_BITS}", worst <= _SLACK_BITS)  # fmt: skip
    found4 = r.find(estimator="ste", commitment=0.25, **_at(6, 4))
    yield lowest("B6", "entropy, room to spare", found4, "entropy_bits", 3.9)
    yield lowest("B6", "SNR, room to spare", found4, "snr_db", 25.0)


def _knee(r: _Results) -> Iterator[Verdict]:
    for low, high, least in ((2, 4, 5.0), (4, 6, 5.0)):
        found = r.find(estimator="ste", commitment=0.25, **_at(high, 4))
        other = r.find(estimator="ste", commitment=0.25, **_at(low, 4))
        yield difference("B7", f"SNR from {low} to {high} bits", found, other, "snr_db", least)


def _alphabet_bound(r: _Results) -> Iterator[Verdict]:
    def below(cell: Cell) -> bool:
        return cell.source == "alphabet" and cell.rate_bits < cell.source_bits

    yield bounded("B8", "SNR over k-means of the points", r.every(below), 0.3)


def _gaussian_bound(r: _Results) -> Iterator[Verdict]:
    found = r.every(lambda cell: cell.source == "gaussian")
    yield bounded("B9", "SNR over Shannon's bound, normal source", found, 0.1)
    for cell, most in zip(_GAUSSIAN_VQ, (1.0, 2.0), strict=True):
        for how in (_COMMITTED, _MSTE, _DIVEQ):
            yield short("B9", "SNR below k-means of samples", r.find(**how, **cell), most)


def _fsq(r: _Results) -> Iterator[Verdict]:
    fsq: _Content = {"source": "gaussian", "quantizer": "fsq"}
    for levels, most in ((4, 0.8), (8, 1.6)):
        found = r.find(estimator="ste", levels=levels, **fsq)
        yield short("B10", "SNR of STE below Lloyd-Max", found, most)
    noise = r.find(estimator="uniform", levels=2, **fsq)
    yield short("B10", "SNR of uniform noise below Lloyd-Max", noise, 0.4)
    ste = r.find(estimator="ste", levels=2, **fsq)
    yield difference("B10", "SNR of uniform noise over STE", noise, ste, "snr_db", 0.4)


def _fsq_uniform(r: _Results) -> Iterator[Verdict]:
    fsq: _Content = {"source": "uniform", "quantizer": "fsq"}
    ste = r.find(estimator="ste", levels=4, **fsq)
    yield short("B11", "SNR of STE below a uniform quantizer's", ste, 1.1)
    noise = r.find(estimator="uniform", levels=2, **fsq)
    yield short("B11", "SNR of uniform noise below a uniform quantizer's", noise, 0.5)


def _escape(r: _Results) -> Iterator[Verdict]:
    fsq: _Content = {"source": "gaussian", "quantizer": "fsq"}
    found = r.find(estimator="soft", levels=2, **fsq)
    yield highest("B12", "latent deviation of annealing", found, f"latent_std@{Cell.steps}", 0.2)
    yield highest("B12", "SNR of annealing that the encoder evades", found, "snr_db", 1.0)
    vq = r.find(estimator="soft", **_at(6, 6))
    yield lowest("B12", "SNR of annealing in units of the variance", vq, "snr_db", 9.0)


def _emulation(r: _Results) -> Iterator[Verdict]:
    found, other = r.find(estimator="gaussian", **_at(6, 6)), r.find(estimator="mste", **_at(6, 6))
    yield lowest("B13", "growth of normal emulation", found, "growth", 5.0)
    yield difference("B13", "SNR of mSTE over normal emulation", other, found, "snr_db", 1.5)


_CHECKS: tuple[Callable[[_Results], Iterator[Verdict]], ...] = (
    _divergence, _stability, _gain, _averages, _ranking, _accounting, _knee, _alphabet_bound,
    _gaussian_bound, _fsq, _fsq_uniform, _escape, _emulation,
)  # fmt: skip


def render(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as aligned lines, and a sum; those without results are counted alone."""
    lines = []
    for v in verdicts:
        if v.measured == NOT_RUN:
            continue
        word = {True: "ok", False: "FAILED", None: "-"}[v.passed]
        lines.append(f"{v.name:4} {word:7} {v.measured:>18}  {v.wanted:12} {v.what}")
    failed = sum(v.passed is False for v in verdicts)
    held = sum(v.passed is True for v in verdicts)
    absent = sum(v.measured == NOT_RUN for v in verdicts)
    lines.append(f"{held} checks hold, {failed} fail, {absent} lack their cells")
    return "\n".join(lines) + "\n"
