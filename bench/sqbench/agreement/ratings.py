"""Tables of listeners' ratings: our own layout, and the results of webMUSHRA.

========================================  ======================================================
header                                    what it is
========================================  ======================================================
signal, condition, estimate, reference,   one rating a line; files relative to the table. Columns
score                                     ``rate``, ``domain`` and ``group`` split the result
trial_id, rating_stimulus, rating_score   ``mushra.csv`` of webMUSHRA
trial_id, stimuli_rating, stimuli         ``lms.csv`` and ``lss.csv`` of webMUSHRA (opinion scores)
========================================  ======================================================

webMUSHRA's tables name no files: patterns with ``{trial}`` and ``{stimulus}`` do. Further columns
(listener, times, comments) are not read. What has no file, such as a low-pass anchor, and the
hidden reference, which is equal to the reference, are no stimuli of a codec: left out, and said.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqbench.errors import InputError

OWN = ("signal", "condition", "estimate", "reference", "score")
WEBMUSHRA = (
    ("trial_id", "rating_stimulus", "rating_score"),
    ("trial_id", "stimuli", "stimuli_rating"),
)
SPLITS = ("rate", "domain", "group")
"""Optional columns, by whose values the result is split."""


@dataclass(frozen=True, kw_only=True)
class Stimulus:
    """One condition of one item, as it was heard.

    Attributes:
        item: the signal, or the trial.
        condition: the codec or system.
        rating: the mean over listeners, on the table's own scale.
        ratings: how many there are.
        labels: values of the columns in `SPLITS` that the table has.
    """

    item: str
    condition: str
    reference: Path
    estimate: Path
    rating: float
    ratings: int
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Ratings:
    """A table: its stimuli, by item and condition, and what was left out."""

    name: str
    path: Path
    stimuli: tuple[Stimulus, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Line:
    item: str
    condition: str
    reference: str
    estimate: str
    score: float
    labels: tuple[tuple[str, str], ...]


def read(
    path: Path, *, name: str | None = None, estimates: str | None = None,
    references: str | None = None,
) -> Ratings:  # fmt: skip
    """Read a table.

    Args:
        name: of the set; by default that of the table's folder.
        estimates: for webMUSHRA's tables, where stimuli are: ``audio/{trial}/{stimulus}.wav``,
            relative to the table.
        references: in the same way where references are, by trial.

    Raises:
        InputError: it cannot be read, is no such table, a score is no number, or no stimulus is
            left.
    """
    lines = list(_lines(path, estimates, references))
    grouped: dict[tuple[str, str], list[_Line]] = {}
    for line in lines:
        grouped.setdefault((line.item, line.condition), []).append(line)
    stimuli: list[Stimulus] = []
    without: dict[str, int] = {}
    hidden = 0
    for (item, condition), some in grouped.items():
        files = {(line.reference, line.estimate, line.labels) for line in some}
        if len(files) > 1:
            raise InputError(
                f"{path}: {item}, {condition}", expected="one stimulus", found=f"{len(files)} files"
            )
        first = some[0]
        reference, estimate = path.parent / first.reference, path.parent / first.estimate
        if not (estimate.is_file() and reference.is_file()):
            without[condition] = without.get(condition, 0) + 1
        elif _equal(reference, estimate):
            hidden += 1
        else:
            stimuli.append(
                Stimulus(
                    item=item,
                    condition=condition,
                    reference=reference,
                    estimate=estimate,
                    rating=math.fsum(line.score for line in some) / len(some),
                    ratings=len(some),
                    labels=dict(first.labels),
                )
            )
    if not stimuli:
        raise InputError(
            str(path),
            expected="stimuli with files for estimate and reference, not equal",
            found=f"{len(grouped)} without",
            remedy="Check the columns estimate and reference, or --estimates and --references.",
        )
    notes = [f"{n} of {condition} have no audio: left out" for condition, n in without.items()]
    notes += [f"{hidden} hidden references left out"] if hidden else []
    return Ratings(
        name=name or path.resolve().parent.name, path=path,
        stimuli=tuple(stimuli), notes=tuple(notes),
    )  # fmt: skip


def _lines(path: Path, estimates: str | None, references: str | None) -> Iterator[_Line]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle)
            header = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = header
            columns = _columns(path, header, estimates, references)
            for number, row in enumerate(reader, start=2):
                yield _line(f"{path}:{number}", row, columns, estimates or "", references or "")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(str(path), expected="a CSV table of ratings", found=str(error)) from None


def _columns(
    path: Path, header: Sequence[str], estimates: str | None, references: str | None
) -> Sequence[str]:
    """Which of the layouts the header has."""
    if set(OWN) <= set(header):
        if estimates or references:
            raise InputError(
                "--estimates and --references", expected="a table of webMUSHRA", found=str(path)
            )
        return OWN
    for layout in WEBMUSHRA:
        if set(layout) <= set(header):
            if not (estimates and references):
                raise InputError(
                    str(path),
                    expected="--estimates and --references, as webMUSHRA's tables name no files",
                    found="none",
                    remedy="--estimates 'audio/{trial}/{stimulus}.wav' "
                    "--references 'audio/{trial}/reference.wav'",
                )
            return layout
    raise InputError(
        str(path),
        expected=f"the columns {', '.join(OWN)}, or those of webMUSHRA's mushra.csv or lms.csv",
        found=", ".join(header) or "no header",
    )


def _line(
    where: str, row: Mapping[str, str | None], columns: Sequence[str], estimates: str,
    references: str,
) -> _Line:  # fmt: skip
    def text(name: str) -> str:
        value = row.get(name)
        if value is None:
            raise InputError(where, expected=f"a value for {name}", found="a short line")
        return value.strip()

    try:
        score = float(text(columns[-1]))
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise InputError(where, expected=f"a number as {columns[-1]}", found=text(columns[-1]))
    item, condition = text(columns[0]), text(columns[1])
    if columns is OWN:
        reference, estimate = text("reference"), text("estimate")
    else:
        reference = _filled(references, item, condition)
        estimate = _filled(estimates, item, condition)
    labels = tuple((name, text(name)) for name in SPLITS if name in row)
    return _Line(item, condition, reference, estimate, score, labels)


def _filled(pattern: str, trial: str, stimulus: str) -> str:
    try:
        return pattern.format(trial=trial, stimulus=stimulus)
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(
            f"pattern {pattern!r}", expected="only {trial} and {stimulus}", found=repr(error)
        ) from None


def _equal(first: Path, second: Path) -> bool:
    same = first.resolve() == second.resolve()
    return same or (
        first.stat().st_size == second.stat().st_size and first.read_bytes() == second.read_bytes()
    )
