"""The columns of the table: names, units, digits and directions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqbench.report.grid import Head
from sqbench.store.row import Row

Direction = Literal["higher", "lower"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column after the model's name.

    Attributes:
        key: its name in CSV and JSON.
        title: its name for people, one or two words.
        unit: shown under the title.
        by: whose judgement the values are; shown under the title instead of the unit.
        digits: decimals shown; files hold full precision.
        direction: which way is better; ``None`` where that is not a question.
        scores: whether the values are scores, not properties of the codec.
    """

    key: str
    title: str
    unit: str = ""
    by: str = ""
    digits: int
    direction: Direction | None = None
    scores: bool = False

    @property
    def arrow(self) -> str:
        return {"higher": "↑", "lower": "↓", None: ""}[self.direction]


def _score(key: str, title: str, digits: int, direction: Direction, unit: str = "") -> Column:
    return Column(key=key, title=title, unit=unit, digits=digits, direction=direction, scores=True)


FIXED: tuple[Column, ...] = (
    Column(key="bitrate_bps", title="Bitrate", unit="bps", digits=0),
    Column(key="measured_bps", title="Measured", unit="bps", digits=0),
    Column(key="num_codebooks", title="#Q", digits=0),
    Column(key="macs_g", title="MACs", unit="G", digits=2),
    Column(key="params_m", title="Params", unit="M", digits=2),
    _score("sdr", "SDR", 2, "higher", "dB"),
    _score("mel", "MEL", 3, "lower"),
    _score("stoi", "STOI", 3, "higher"),
    _score("pesq", "PESQ", 3, "higher"),
    _score("audio_sdr", "Audio SDR", 2, "higher", "dB"),
    _score("audio_mel", "Audio MEL", 3, "lower"),
)
"""The paper's Table 1 with the measured bitrate; these and the model are the CSV's columns."""

CSV_HEADER = ("model", *(column.key for column in FIXED))


def columns_for(rows: Iterable[Row]) -> tuple[Column, ...]:
    """The fixed columns, then one for every other metric that the rows have."""
    known = {column.key for column in FIXED}
    extra: dict[str, Column] = {}
    for row in rows:
        for key, cell in row.cells.items():
            if key not in known and key not in extra:
                prefix = "" if cell.category == "speech" else f"{cell.category.capitalize()} "
                extra[key] = Column(
                    key=key,
                    title=prefix + cell.metric.upper(),
                    digits=3,
                    direction=direction_of(cell.metric, row),
                    scores=True,
                )
    return (*FIXED, *extra.values())


def direction_of(metric: str, row: Row) -> Direction | None:
    """Which way a metric is better: as recorded with its values, or as this installation knows.

    ``None`` where neither is.
    """
    for column in FIXED:
        if column.key == metric:
            return column.direction
    recorded = row.directions.get(metric)
    if recorded is not None:
        return "higher" if recorded == "higher" else "lower"
    from sqbench.metrics import catalogue

    return catalogue.get(metric).direction if metric in catalogue.names() else None


def head(column: Column) -> Head:
    """The head of a column, over two lines."""
    if column.by:
        return Head(
            title=" ".join(filter(None, (column.title, column.unit, column.arrow))), below=column.by
        )
    first, _, second = column.title.rpartition(" ")
    title = f"{column.title} {column.arrow}".strip()
    if first:  # two words share the two lines
        return Head(title=first, below=f"{second} {column.arrow}".strip())
    return Head(title=title, below=f"({column.unit})" if column.unit else "")
