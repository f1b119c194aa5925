"""How often things happen in a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cadence:
    """How often things happen.

    Attributes:
        every: steps between reports, each with validation, checkpoint and export of the best.
        evaluate_every: steps between runs of sqbench's metrics; the last step has one too.
            0 for never.
        keep: checkpoints that stay beside the best.
        minutes: between checkpoints, whatever the steps take; 0 for reports' alone.
    """

    every: int = 100
    evaluate_every: int = 1000
    keep: int = 2
    minutes: float = 0.0
