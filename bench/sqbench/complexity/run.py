"""The rows of the complexity table: which codecs, counted by which convention. Data only."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqbench.complexity.speed import Speed
from sqbench.counting.macs import Operations, operations
from sqbench.counting.parameters import Parameters, parameters
from sqbench.errors import InputError
from sqbench.published import rows as paper
from sqbench_codecs import CODECS, CodecEntry, CodecSpec

Convention = Literal["uniform", "paper"]


@dataclass(frozen=True, kw_only=True)
class CostRow:
    """What a codec costs.

    Attributes:
        model: its name.
        macs: multiply-adds for 10 s of audio by the convention asked for; NaN if not counted.
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
        names: registry names; if none, every codec with a network, or every row of the paper.
        convention: ``uniform`` (`sqbench.counting.macs`) or ``paper``
            (`sqbench.counting.paper`).
        speed: measures a codec by its name; not called for rows of the paper without a codec here.

    Raises:
        InputError: an unknown name.
    """
    asked = {CODECS.get(name).name: name for name in names or CODECS.names()}
    entries = [CODECS.get(name) for name in asked.values()]
    if convention == "paper":
        rows = _paper_rows(entries, chosen=bool(names))
    else:
        rows = [_uniform(entry) for entry in entries if names or entry.network]
    if speed is None:
        return rows
    return [_timed(row, asked[row.model], speed) if row.model in asked else row for row in rows]


def _uniform(entry: CodecEntry) -> CostRow:
    row = _empty(entry)
    try:
        if entry.missing():
            return replace(row, reason=entry.readiness())
        blueprint = entry.blueprint()
        if blueprint is None:
            return replace(row, reason="has no network to count")
        network = blueprint.build()
        counted = operations(network, entry.spec, blueprint.parts)
        held = parameters(network, blueprint.parts)
    except Exception as error:  # a network may be anybody's code
        return replace(row, reason=_why(error))
    return replace(row, macs=counted.total, params=held.total, operations=counted, parameters=held)


def _paper_rows(entries: Sequence[CodecEntry], *, chosen: bool) -> list[CostRow]:
    if chosen:
        return [_as_published(_empty(entry)) for entry in entries]
    by_row = {paper.published(entry.spec): entry for entry in reversed(entries)}
    return [
        _as_published(
            _empty(by_row[row])
            if row in by_row
            else CostRow(
                model=paper.label(row).removesuffix(" (paper)"),
                bitrate_bps=row.bitrate_bps,
                num_codebooks=row.num_codebooks,
                published=row,
            )
        )
        for row in paper.table1()
    ]


def _as_published(row: CostRow) -> CostRow:
    from sqbench.complexity.paper_networks import count

    if row.published is None:
        return replace(row, reason="not in the paper")
    try:
        counted = count(row.published)
    except Exception as error:  # the packages behind it may be of any version
        return replace(row, reason=_why(error))
    return replace(
        row,
        macs=counted.seen.macs,
        params=counted.seen.params,
        operations=counted.uniform,
        seen=dict(counted.seen.by_kind),
    )


def _timed(row: CostRow, name: str, speed: Callable[[str], Speed]) -> CostRow:
    try:
        return replace(row, speed=speed(name))
    except InputError as error:
        return replace(row, reason="; ".join(filter(None, (row.reason, str(error)))))


def _empty(entry: CodecEntry) -> CostRow:
    spec: CodecSpec = entry.spec
    return CostRow(
        model=entry.name,
        bitrate_bps=spec.bitrate_bps,
        num_codebooks=spec.num_codebooks,
        published=paper.published(spec),
    )


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
