"""What is known of the agreement of metrics with listeners: a table that a command makes again.

``data/listeners.csv`` is the CSV of ``sqbench agreement`` (`make agreement`).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqbench.agreement.report import ALL

TABLE = Path(__file__).parent / "data" / "listeners.csv"


@dataclass(frozen=True)
class Known:
    """Pair accuracy of a metric, its 95 % interval, and on which set."""

    accuracy: float
    low: float
    high: float
    set: str

    def __str__(self) -> str:
        return f"{self.accuracy:.2f} [{self.low:.2f}, {self.high:.2f}]"


@lru_cache(maxsize=1)
def known() -> dict[str, Known]:
    """By metric, over all stimuli of the set."""
    with open(TABLE, encoding="utf-8", newline="") as handle:
        return {
            row["metric"]: Known(
                float(row["pair_accuracy"]),
                float(row["pair_accuracy_low"]),
                float(row["pair_accuracy_high"]),
                row["set"],
            )
            for row in csv.DictReader(handle)
            if row["part"] == ALL and row["pair_accuracy"]
        }
