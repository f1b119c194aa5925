"""The table of how tokens hold out, with intervals over clips."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from sqbench.report.grid import Grid, GridCell, Head
from sqbench.statistics import N_BOOT, DrawCounts, Interval, interval
from sqbench.tokens.changes import CHANGES
from sqbench.tokens.robustness import EQUALITY, GENERATIONS, Probed

CHANGED = (*CHANGES, *(f"generation {n}" for n in range(1, GENERATIONS + 1)))
RATES = ("tokens a second of audio", "tokens encoded a second")
PROBES = (*CHANGED, *EQUALITY, *RATES)
CSV_HEADER = ("model", "source", "probe", "measure", "value", "low", "high", "clips", "reason")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One figure.

    Attributes:
        measure: ``unit edit distance``, ``share equal`` or ``rate``.
        value: ``None`` where there is none, for ``reason``.
        clips: that it is of.
    """

    model: str
    source: str
    probe: str
    measure: str
    value: float | None
    interval: Interval
    clips: int
    reason: str = ""


def findings(probed: Sequence[Probed], *, n_boot: int = N_BOOT, seed: int = 0) -> list[Finding]:
    """Every probe of every codec, pooled over clips; clips are what intervals resample."""
    return [_finding(one, name, n_boot, seed) for one in probed for name in PROBES]


def _finding(probed: Probed, name: str, n_boot: int, seed: int) -> Finding:
    clips = [clip for clip in probed.clips if clip.reason is None]
    measure = "unit edit distance" if name in CHANGED else "share equal"
    if name in RATES:
        measure = "rate"
        spent = [clip.seconds if name == RATES[0] else clip.encode_s for clip in clips]
        pairs = [(clip.tokens, seconds) for clip, seconds in zip(clips, spent, strict=True)]
        names = [clip.utterance for clip in clips]
    else:
        tried = [(clip.utterance, clip.found[name]) for clip in clips if name in clip.found]
        tried = [(utterance, found) for utterance, found in tried if found.length]
        names = [utterance for utterance, _ in tried]
        pairs = [
            (found.edits if name in CHANGED else found.same, found.length) for _, found in tried
        ]
    if not pairs:
        reason = probed.untried.get(name, "no clip got through")
        nothing = Interval(low=None, high=None, reason=reason)
        return Finding(
            model=probed.model, source=probed.source, probe=name, measure=measure, value=None,
            interval=nothing, clips=0, reason=reason,
        )  # fmt: skip
    counts = np.array(pairs, np.float64)
    return Finding(
        model=probed.model,
        source=probed.source,
        probe=name,
        measure=measure,
        value=float(counts[:, 0].sum() / counts[:, 1].sum()),
        interval=interval(names, _ratio(counts), n_boot=n_boot, seed=seed),
        clips=len(pairs),
    )


def _ratio(counts: NDArray[np.float64]) -> Callable[[DrawCounts], NDArray[np.float64]]:
    def ratio(weights: DrawCounts) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (weights @ counts[:, 0]) / (weights @ counts[:, 1])
        return found

    return ratio


def to_csv(found: Sequence[Finding]) -> str:
    """`CSV_HEADER`; distances and shares as fractions, no value is an empty field."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for one in found:
        ends = one.interval
        numbers = ["" if v is None else repr(v) for v in (one.value, ends.low, ends.high)]
        writer.writerow(
            [one.model, one.source, one.probe, one.measure, *numbers, one.clips, one.reason]
        )
    return stream.getvalue()


def to_json(found: Sequence[Finding]) -> str:
    """The same, with the reasons of intervals that are missing."""
    return json.dumps([asdict(one) for one in found], indent=1, ensure_ascii=False) + "\n"


def to_grid(found: Sequence[Finding], probed: Sequence[Probed]) -> Grid:
    """The table for people: a line a probe, a column a codec."""
    models = [one.model for one in probed]
    cells = {(one.probe, one.model): one for one in found}
    groups = [
        [[GridCell(text=name), *(_cell(cells[name, model]) for model in models)] for name in names]
        for names in (CHANGED, EQUALITY, RATES)
    ]
    notes = [
        "First block: unit edit distance in % of the original's codes, [95 % over clips]; "
        "generations are codes of a clip decoded and encoded again so often. Second: codes that "
        "are the same in %, for the clip beside another, in two parts, in bfloat16, on a GPU.",
    ]
    notes += [
        f"{one.model}: {probe}: {reason}."
        for one in probed
        for probe, reason in one.untried.items()
    ]
    for one in probed:
        reasons = [clip.reason for clip in one.clips if clip.reason]
        if reasons:
            notes.append(f"{one.model}: {len(reasons)} clips failed: {reasons[0]}")
    heads = [Head(title="Change", number=False), *(Head(title=model) for model in models)]
    return Grid(title="", heads=heads, groups=groups, notes=notes)


def _cell(one: Finding) -> GridCell:
    if one.value is None or math.isnan(one.value):
        return GridCell(text="\u2013")
    scale, digits = (1.0, 0) if one.measure == "rate" else (100.0, 2)
    low, high = one.interval.low, one.interval.high
    ends = (
        ""
        if low is None or high is None
        else f" [{scale * low:.{digits}f}, {scale * high:.{digits}f}]"
    )
    return GridCell(text=f"{scale * one.value:.{digits}f}{ends}")
