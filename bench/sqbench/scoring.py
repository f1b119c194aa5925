"""Scores without a codec: of two arrays, or of two folders of audio.

`measure_pair` is the one place where metrics meet a pair; the runner's workers call it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import ArrayLike

from sqbench import audio
from sqbench.data.pairing import Match, match_folders
from sqbench.errors import InputError
from sqbench.metrics import catalogue
from sqbench.metrics.measure import Measurement, failed, measure_pair
from sqbench.metrics.protocol import DEFAULT, check

MapFunction: TypeAlias = Callable[
    [Callable[["FilePair"], "list[Measurement]"], Sequence["FilePair"]], Iterable[tuple[int, Any]]
]
"""Runs a function over items and gives ``(index, result)`` in any order; a result that is no list
of measurements stands for a lost item, and its ``reason`` says how it was lost."""


@dataclass(frozen=True)
class Score:
    """One metric on one pair of files.

    Attributes:
        id: relative path of the reference file, with ``/`` (of the estimate where it is alone).
        metric: the metric's name.
        measurement: value, status and reason.
        notes: what is odd about the pair, whatever the metric.
    """

    id: str
    metric: str
    measurement: Measurement
    notes: tuple[str, ...] = ()


class Measured(list[Measurement]):
    """Measurements of a pair, and ``notes`` on what is odd about it."""

    notes: tuple[str, ...] = ()


LENGTHS = "lengths differ"
"""How the note begins that a pair is scored over its shorter part, as the protocol has it."""

LENGTHS_S = 0.1
"""Seconds by which a pair may differ in length without a note."""


@dataclass(frozen=True)
class FilePair:
    """A unit of work for a worker: two files and the names of the metrics."""

    reference: Path
    estimate: Path
    metrics: tuple[str, ...]
    protocol: str


def score(
    reference: ArrayLike,
    estimate: ArrayLike,
    sample_rate: int,
    metrics: Sequence[str] = catalogue.SIGNAL,
    estimate_rate: int | None = None,
    protocol: str = DEFAULT,
) -> dict[str, Measurement]:
    """Score an estimate against its reference.

    Args:
        reference: floating-point samples ``[T]`` or ``[T, C]``, full scale at 1.0.
        estimate: as the reference; may differ in length and channels.
        sample_rate: of the reference, in Hz.
        metrics: names from the metric registry.
        estimate_rate: of the estimate, in Hz, where it differs.
        protocol: ``slt2024`` or ``slt2024-strict``.

    Returns:
        A measurement per metric, by its name.

    Raises:
        InputError: an argument cannot be used (a pair that has no score is not an error).
    """
    wanted = catalogue.resolve_all(metrics)
    measured = measure_pair(
        reference,
        sample_rate,
        estimate,
        sample_rate if estimate_rate is None else estimate_rate,
        metrics,
        protocol,
    )
    return {metric.name: one for metric, one in zip(wanted, measured, strict=True)}


def measure_files(pair: FilePair) -> Measured:
    """Read and measure two files: what a worker of `score_folders` runs."""
    try:
        reference, reference_rate = audio.read(pair.reference)
        estimate, estimate_rate = audio.read(pair.estimate)
    except (InputError, OSError) as error:
        return Measured(failed(str(error), len(pair.metrics)))
    measured = Measured(
        measure_pair(
            reference, reference_rate, estimate, estimate_rate, pair.metrics, pair.protocol
        )
    )
    seconds = len(reference) / reference_rate, len(estimate) / estimate_rate
    notes = [
        f"{side}: {remark}"
        for side, samples, rate in (
            ("reference", reference, reference_rate),
            ("estimate", estimate, estimate_rate),
        )
        for remark in audio.remarks(samples, rate)
    ]
    if abs(seconds[0] - seconds[1]) > LENGTHS_S:
        notes.append(f"{LENGTHS}: {seconds[1]:.2f} s for a reference of {seconds[0]:.2f} s")
    measured.notes = tuple(notes)
    return measured


def score_folders(
    reference: Path | str,
    estimate: Path | str,
    metrics: Sequence[str] = catalogue.SIGNAL,
    protocol: str = DEFAULT,
    workers: int = 1,
    map_fn: MapFunction | None = None,
) -> Iterator[Score]:
    """Score every audio file of a folder against its namesake in another, recursively; or a file
    against a file.

    A pair is the same relative path, extensions aside. A file on one side only, a name that fits
    two files, and a file that cannot be read are failures with a reason; the rest is scored.

    Args:
        reference: the folder of references.
        estimate: the folder of estimates.
        metrics: names from the metric registry.
        protocol: ``slt2024`` or ``slt2024-strict``.
        workers: how many processes measure; the values do not depend on it.
        map_fn: runs the work instead of a pool of ``workers`` processes.

    Returns:
        An iterator over a score per pair and metric, in the natural order of the ids. Arguments
        are checked at once; scores come as they are ready.

    Raises:
        InputError: a folder is missing or has no audio, or an argument cannot be used.
    """
    wanted = [metric.name for metric in catalogue.resolve_all(metrics)]
    check(protocol)
    if workers < 1:
        raise InputError("workers", expected="at least 1", found=str(workers))
    matches = match_folders(Path(reference), Path(estimate))
    work = [
        FilePair(match.reference, match.estimate, tuple(metrics), protocol)
        for match in matches
        if match.reference is not None and match.estimate is not None
    ]
    return _in_order(matches, wanted, (map_fn or _pool(workers))(measure_files, work))


def _in_order(
    matches: Sequence[Match], names: Sequence[str], outcomes: Iterable[tuple[int, Any]]
) -> Iterator[Score]:
    """Results in the order of the matches, whatever order they come in."""
    arrived: dict[int, list[Measurement]] = {}
    source = iter(outcomes)
    index = 0
    for match in matches:
        if match.problem is not None:
            measured = failed(match.problem, len(names))
        else:
            while index not in arrived:
                at, outcome = next(source)
                if not isinstance(outcome, list):
                    outcome = failed(str(outcome.reason), len(names))
                arrived[at] = outcome
            measured = arrived.pop(index)
            index += 1
        for name, measurement in zip(names, measured, strict=True):
            yield Score(match.id, name, measurement, getattr(measured, "notes", ()))
    for _ in source:  # lets the pool end its workers
        raise RuntimeError("more results than work")


def _pool(workers: int) -> MapFunction:
    def run(
        function: Callable[[FilePair], list[Measurement]], items: Sequence[FilePair]
    ) -> Iterator[tuple[int, Any]]:
        from sqbench.engine.pool import ProcessPool

        # Also with one worker: a crash of PESQ's C code must not take the caller along, and one
        # thread per process is what makes values independent of the number of workers.
        with ProcessPool(min(workers, max(1, len(items)))) as pool:
            yield from pool.map(function, items)

    return run
