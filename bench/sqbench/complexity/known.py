"""The uniform count of the paper's networks, kept with the package: counting them takes minutes.

Made by ``python tools/count_paper_rows.py``; `sqbench.complexity.run` counts any of them again.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources

from sqbench.published import rows as paper

FILE = "uniform.csv"
HEADER = ("model", "sample_rate", "bitrate_bps", "num_codebooks", "macs_g")

Key = tuple[str, int, float, int]


def key(row: paper.SignalRow) -> Key:
    """What tells the rows of the paper's Table 1 apart."""
    return row.model, row.sample_rate, row.bitrate_bps, row.num_codebooks


@cache
def uniform_macs_g() -> dict[Key, float]:
    """G operations for 10 s of audio by the uniform convention, by row of the paper's Table 1."""
    text = (resources.files("sqbench.complexity") / "data" / FILE).read_text(encoding="utf-8")
    return {
        (
            r["model"],
            int(r["sample_rate"]),
            float(r["bitrate_bps"]),
            int(r["num_codebooks"]),
        ): float(r["macs_g"])
        for r in csv.DictReader(text.splitlines())
    }
