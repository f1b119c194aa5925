"""The columns of the table: names, units, digits and directions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from sqbench.report.grid import Head
from sqbench.store.row import ResultRow

Direction = Literal["higher", "lower"]
Group = Literal["", "signal", "perceptual", "application"]
GROUPS: tuple[Group, ...] = ("signal", "perceptual", "application")
"""Of scores, in the order of the table."""


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
        spare: whether a narrow terminal may do without.
        group: of the scores; empty for properties.
    """

    key: str
    title: str
    unit: str = ""
    by: str = ""
    digits: int
    direction: Direction | None = None
    scores: bool = False
    spare: bool = False
    group: Group = ""

    @property
    def block(self) -> str:
        """What columns stay together with: those of one category, or of one evaluator."""
        category = next((c for c in ("audio", "all") if self.key.startswith(f"{c}_")), "speech")
        return f"{self.group} {category}" if self.scores else ""

    @property
    def arrow(self) -> str:
        return {"higher": "↑", "lower": "↓", None: ""}[self.direction]


def _score(key: str, title: str, digits: int, direction: Direction, unit: str = "") -> Column:
    return Column(
        key=key, title=title, unit=unit, digits=digits, direction=direction, scores=True,
        group="signal",
    )  # fmt: skip


FIXED: tuple[Column, ...] = (
    Column(key="bitrate_bps", title="Bitrate", unit="bps", digits=0),
    Column(key="measured_bps", title="Measured", unit="bps", digits=0),
    Column(key="num_codebooks", title="#Q", digits=0),
    Column(key="macs_g", title="MACs", unit="G", digits=2, spare=True),
    Column(key="params_m", title="Params", unit="M", digits=2, spare=True),
    _score("sdr", "SDR", 2, "higher", "dB"),
    _score("mel", "MEL", 3, "lower"),
    _score("stoi", "STOI", 3, "higher"),
    _score("pesq", "PESQ", 3, "higher"),
    _score("audio_sdr", "Audio SDR", 2, "higher", "dB"),
    _score("audio_mel", "Audio MEL", 3, "lower"),
)
"""The paper's Table 1 with the measured bitrate; these and the model are the CSV's columns."""

CSV_HEADER = ("model", *(column.key for column in FIXED))


def columns_for(rows: Iterable[ResultRow]) -> tuple[Column, ...]:
    """The fixed columns, then one for every other metric that the rows have: of the signal, then
    the perceptual ones in the order of their suite."""
    known = {column.key for column in FIXED}
    extra: dict[str, Column] = {}
    for row in rows:
        for key, cell in row.cells.items():
            if key not in known and key not in extra:
                extra[key] = _extra(key, cell.category, cell.metric, row)
    order = list(_catalogue().names())

    def place(item: tuple[str, Column]) -> tuple[int, bool, int]:
        key, column = item
        metric = key.removeprefix("audio_").removeprefix("all_")
        at = order.index(metric) if metric in order else len(order)
        return GROUPS.index(column.group) if column.group else 0, key != metric, at

    return (*FIXED, *(column for _, column in sorted(extra.items(), key=place)))


def _extra(key: str, category: str, metric: str, row: ResultRow) -> Column:
    prefix = "" if category == "speech" else f"{category.capitalize()} "
    known = metric in _catalogue().names()
    entry = _catalogue().METRICS.get(metric) if known else None
    like = next((column for column in FIXED if column.key == metric), None)
    return Column(
        key=key,
        title=prefix + (entry.title if entry and entry.title else metric.upper()),
        unit=like.unit if like else "",
        digits=like.digits if like else 3,
        direction=direction_of(metric, row),
        scores=True,
        group=entry.group if entry else "signal",
    )


def _catalogue() -> ModuleType:
    from sqbench.metrics import catalogue

    return catalogue


def direction_of(metric: str, row: ResultRow) -> Direction | None:
    """Which way a metric is better: as recorded with its values, or as this installation knows.

    ``None`` where neither is.
    """
    for column in FIXED:
        if column.key == metric:
            return column.direction
    found: str | None = row.directions.get(metric)
    if found is None and metric in _catalogue().names():
        found = _catalogue().METRICS.get(metric).load().direction
    return "higher" if found == "higher" else "lower" if found == "lower" else None


def head(column: Column) -> Head:
    """The head of a column, over two lines."""
    if column.by:
        return Head(
            title=" ".join(filter(None, (column.title, column.unit, column.arrow))),
            below=column.by,
            group=column.group,
            block=column.block,
            spare=column.spare,
        )
    first, _, second = column.title.rpartition(" ")
    title = f"{column.title} {column.arrow}".strip()
    if first:  # two words share the two lines
        return Head(
            title=first,
            below=f"{second} {column.arrow}".strip(),
            group=column.group,
            block=column.block,
            spare=column.spare,
        )
    below = f"({column.unit})" if column.unit else ""
    return Head(
        title=title, below=below, group=column.group, block=column.block, spare=column.spare
    )
