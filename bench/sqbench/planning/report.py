"""A plan for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqbench.planning import simulate
from sqbench.planning.plan import Forecast, Stages
from sqbench.planning.prices import Prices
from sqbench.report.grid import NOTHING, Grid, GridCell, Head


def notes(planned: Stages) -> list[str]:
    """What a plan rests on, and what it leaves out."""
    known = [(stage, clips) for stage, clips in planned if not stage.problem]
    found = [
        f"{simulate.work(known) / 3600.0:.2f} h of a processor in all; "
        f"no number of nodes goes below {_time(simulate.critical_path(known))} "
        "(loading, and the longest clip of each stage)."
    ]
    if known:
        dearest, clips = max(known, key=lambda each: simulate.work([each]))
        share = simulate.work([(dearest, clips)]) / max(1e-12, simulate.work(known))
        found.append(f"The dearest is {dearest.name}: {share:.0%} of it.")
    found += [f"Without {stage.name}: {stage.problem}" for stage, _ in planned if stage.problem]
    return found


def forecasts(rows: Sequence[Forecast], planned: Stages, prices: Prices | None) -> Grid:
    """Hours, money and memory by number of nodes."""
    currency = prices.currency if prices is not None else ""
    heads = [Head(title=t) for t in ("Nodes", "Wall", "5 %", "95 %", "Node hours", "Busy", "Lost")]
    heads.append(Head(title="GB a node"))
    heads.append(Head(title="Price", below=currency))
    cells = [
        [
            str(row.nodes), _time(3600 * row.hours), _time(3600 * row.low),
            _time(3600 * row.high), f"{row.node_hours:.2f}", f"{row.busy:.0%}",
            f"{row.lost:.1f}", _number(row.memory_gb, 1), _number(row.money, 2),
        ]
        for row in rows
    ]  # fmt: skip
    made = [[GridCell(text=text) for text in row] for row in cells]
    return Grid(title="", heads=heads, groups=[made], notes=notes(planned))


def stages(planned: Stages) -> Grid:
    """What each codec and evaluator costs."""
    heads = [
        Head(title="Stage", number=False), Head(title="Clips"), Head(title="Hours of audio"),
        Head(title="Load s"), Head(title="Code or hear", below="s a s"),
        Head(title="Measure", below="s a s"), Head(title="From", number=False),
    ]  # fmt: skip
    rows = []
    for stage, clips in planned:
        audio = sum(clip.seconds for clip in clips)
        code = sum(stage.code(clip.seconds) for clip in clips)
        measured = simulate.work([(stage, clips)]) - code
        known = not stage.problem and audio > 0
        rows.append(
            [
                stage.name,
                str(len(clips)),
                f"{audio / 3600.0:.2f}",
                _number(stage.load_s if known else None, 1),
                _number(code / audio if known else None, 4),
                _number(measured / audio if known else None, 4),
                stage.origin if known else "not measured",
            ]
        )
    made = [[GridCell(text=text) for text in row] for row in rows]
    return Grid(title="", heads=heads, groups=[made], notes=[])


def to_json(rows: Sequence[Forecast], planned: Stages) -> str:
    """Everything that is known."""
    known = [(stage, clips) for stage, clips in planned if not stage.problem]
    content: dict[str, Any] = {
        "stages": [{**asdict(stage), "clips": len(clips)} for stage, clips in planned],
        "processor_s": simulate.work(known),
        "critical_path_s": simulate.critical_path(known),
        "forecasts": [asdict(row) for row in rows],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.2f} h"


def _number(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"
