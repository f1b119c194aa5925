"""The rows of the complexity table: which codecs, counted by which convention. Data only."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqbench.complexity.speed import Speed
from sqbench.counting.macs import Operations, audio_for, operations
from sqbench.counting.paper import see
from sqbench.counting.parameters import Parameters, parameters
from sqbench.errors import InputError
from sqbench.published import rows as paper
from sqbench_codecs import CODECS, CodecEntry

Convention = Literal["uniform", "paper"]


@dataclass(frozen=True, kw_only=True)
class CostRow:
    """What a codec costs.

    Attributes:
        model: its name.
        macs: multiply-adds for 10 s of audio by the convention asked for; NaN if not counted. Both
            conventions count one network, the codec's own.
        params: parameters by that convention; NaN if not counted.
        reason: why something is not counted or measured; empty if all is.
        published: the paper's row for it, if there is one.
        operations: details by the uniform convention, under either.
        parameters: by part, under the uniform convention.
        seen: what the paper's counter sees, by kind of layer, under that convention.
        speed: if asked for.
    """

    model: str
    bitrate_bps: float | None
    num_codebooks: int
    macs: float = math.nan
    params: float = math.nan
    reason: str = ""
    published: paper.SignalRow | None = None
    operations: Operations | None = None
    parameters: Parameters | None = None
    seen: dict[str, int] | None = None
    speed: Speed | None = None


def build(
    names: Sequence[str] = (),
    *,
    convention: Convention = "uniform",
    speed: Callable[[str], Speed] | None = None,
) -> list[CostRow]:
    """Count codecs.

    Args:
        names: registry names; if none, every codec with a network, or that of every row of the
            paper, in its order.
        convention: ``uniform`` (`sqbench.counting.macs`) or ``paper``
            (`sqbench.counting.paper`).
        speed: measures a codec by its name.

    Raises:
        InputError: an unknown name.
    """
    asked = {CODECS.get(name).name: name for name in names or CODECS.names()}
    entries = [CODECS.get(name) for name in asked.values()]
    if not names:
        entries = [entry for entry in entries if entry.network]
    if convention == "paper" and not names:
        by_row = {paper.published(entry.spec): entry for entry in reversed(entries)}
        entries = [by_row[row] for row in paper.table1()]
    rows = [_counted(entry, convention) for entry in entries]
    return rows if speed is None else [_timed(row, asked[row.model], speed) for row in rows]


def _counted(entry: CodecEntry, convention: Convention) -> CostRow:
    """A codec's row; where its network cannot be counted, the reason stands in it."""
    row = CostRow(
        model=entry.name,
        bitrate_bps=entry.spec.bitrate_bps,
        num_codebooks=entry.spec.num_codebooks,
        published=paper.published(entry.spec),
    )
    try:
        if convention == "paper" and row.published is None:
            return replace(row, reason="not in the paper")
        if entry.missing():
            return replace(row, reason=entry.readiness())
        blueprint = entry.blueprint()
        if blueprint is None and entry.origin:  # somebody's own: the codec itself has it
            blueprint = entry.load().blueprint()
        if blueprint is None:
            return replace(row, reason="has no network to count")
        network = blueprint.build()
        counted = operations(network, entry.spec, blueprint.parts)
        held = parameters(network, blueprint.parts)
        if convention == "uniform":
            return replace(
                row, macs=counted.total, params=held.total, operations=counted, parameters=held
            )
        seen = see(network, audio_for(entry.spec))
    except Exception as error:  # a network may be anybody's code
        return replace(row, reason=_why(error))
    return replace(
        row, macs=seen.macs, params=seen.params, operations=counted, seen=dict(seen.by_kind)
    )


def _timed(row: CostRow, name: str, speed: Callable[[str], Speed]) -> CostRow:
    try:
        return replace(row, speed=speed(name))
    except InputError as error:
        return replace(row, reason="; ".join(filter(None, (row.reason, str(error)))))


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
