"""What a table row is made of: scores per dataset, cells over datasets, rows over cells."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqbench.store.record import Record

SIGNAL_METRICS: Mapping[str, tuple[str, ...]] = {
    "speech": ("sdr", "mel", "stoi", "pesq"),
    "audio": ("sdr", "mel"),
    "all": ("sdr", "mel"),
}
"""The protocol's metrics by category, and those of data whose category nothing states; any other
metric in the records is an extra column."""


def column(category: str, metric: str) -> str:
    """The table column of a metric: its name, with the category before it unless that is speech."""
    return metric if category == "speech" else f"{category}_{metric}"


@dataclass(frozen=True, kw_only=True)
class SetScore:
    """One metric on one dataset.

    Attributes:
        utterances: ids of the utterances with a value, in the order of ``values``.
        values: float64 ``[n]``.
        expected: how many utterances should have a value.
        identical: how many are scored as identical (no value, but nothing is wrong).
        undefined: how many have no value by the metric's definition.
        failed: how many broke on the way.
        dropped: why the dataset is out of the macro mean, if it is.
    """

    dataset: str
    category: str
    metric: str
    utterances: tuple[str, ...]
    values: NDArray[np.float64] = field(repr=False)
    expected: int
    identical: int = 0
    undefined: int = 0
    failed: int = 0
    dropped: str | None = None

    @property
    def scored(self) -> int:
        """Utterances that count as scored: those with a value and the identical ones."""
        return len(self.values) + self.identical

    @property
    def mean(self) -> float | None:
        """Mean over the utterances with a value."""
        return float(np.mean(self.values)) if len(self.values) else None

    @property
    def counted(self) -> bool:
        """Whether the dataset takes part in the macro mean."""
        return self.dropped is None and len(self.values) > 0


@dataclass(frozen=True, kw_only=True)
class MetricCell:
    """One metric over the datasets of one category."""

    category: str
    metric: str
    sets: tuple[SetScore, ...]

    @property
    def value(self) -> float | None:
        """Unweighted mean over dataset means."""
        means = [float(np.mean(s.values)) for s in self.sets if s.counted]
        return math.fsum(means) / len(means) if means else None

    @property
    def scored(self) -> int:
        return sum(s.scored for s in self.sets)

    @property
    def expected(self) -> int:
        return sum(s.expected for s in self.sets)

    @property
    def identical(self) -> int:
        return sum(s.identical for s in self.sets)

    @property
    def counted(self) -> int:
        """Scored utterances of the datasets that are not dropped."""
        return sum(s.scored for s in self.sets if s.dropped is None)

    @property
    def complete(self) -> bool:
        """Every expected utterance is scored and no dataset is dropped."""
        return self.counted == self.expected


@dataclass(frozen=True, kw_only=True)
class ResultRow:
    """One codec on one source under one protocol.

    Attributes:
        label: the codec's name, with ``@`` and its id where two codecs share the name.
        description: what the run recorded of the codec (``Codec.describe`` and complexity).
        measured_bps: bits produced over seconds coded; ``None`` without coding records.
        cells: by `column`.
        reasons: (metric, status, reason) to count, for all that is not ``ok``.
        selected: how many utterances of the source count, and ``total`` how many it has.
        versions: metric name to the version that the values have.
        older: metric name to how many clips have a value of an older identity alone (left out).
        directions: metric name to ``higher`` or ``lower``, whichever is better, as recorded.
        last_run: when the codec last ran, and which run that was; sorts by time.
        location: where the source is that the values are of.
        elsewhere: where runs found others of its name; their values are not in the row.
        hashes: utterance to the hash of its audio, of those that could be read.
        records: the score records that the cells are made of.
    """

    source: str
    protocol: str
    codec: str
    codec_id: str
    label: str
    weights: str
    description: Mapping[str, Any]
    measured_bps: float | None
    cells: Mapping[str, MetricCell]
    reasons: Mapping[tuple[str, str, str], int]
    selected: int
    total: int
    versions: Mapping[str, int]
    older: Mapping[str, int]
    directions: Mapping[str, str]
    last_run: tuple[str, str]
    location: str
    elsewhere: tuple[str, ...]
    hashes: Mapping[str, str] = field(repr=False)
    records: tuple[Record, ...] = field(repr=False)

    def number(self, name: str) -> float | None:
        """A number of the codec's description (``bitrate_bps``, ``macs_g``), if it is known."""
        value = self.description.get(name)
        return value if type(value) in (int, float) else None

    @property
    def complete(self) -> bool:
        return all(cell.complete for cell in self.cells.values())
