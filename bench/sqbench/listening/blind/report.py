"""What listeners said, as a table, CSV and JSON; and their ratings as a table for metrics."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sqbench.atomic import write_text
from sqbench.listening.blind import abx, mushra
from sqbench.listening.blind.abx import EVERYONE, Discrimination
from sqbench.listening.blind.key import Key
from sqbench.listening.blind.mushra import Mean
from sqbench.listening.blind.results import Session
from sqbench.report.grid import NOTHING, Grid, GridCell, Head
from sqbench.statistics import N_BOOT, Interval

ABX_CSV = ("a", "b", "listener", "trials", "right", "share", "low", "high", "p", "p_holm")
MUSHRA_CSV = (
    "system", "minus", "mean", "low", "high", "listeners_low", "listeners_high", "items_low",
    "items_high", "n",
)  # fmt: skip
RATINGS_CSV = ("signal", "condition", "estimate", "reference", "listener", "score", "domain")


@dataclass(frozen=True, kw_only=True)
class AbxReport:
    """Whether differences are heard."""

    test: str
    rows: tuple[Discrimination, ...]
    notes: tuple[str, ...]

    def grids(self) -> list[Grid]:
        """A table for people: a group a pair, everyone first."""
        groups: dict[tuple[str, str], list[list[GridCell]]] = {}
        for row in self.rows:
            groups.setdefault((row.a, row.b), []).append(
                [
                    GridCell(text=f"{row.a}, {row.b}", bold=row.listener == EVERYONE),
                    GridCell(text=row.listener or "everyone", bold=row.listener == EVERYONE),
                    GridCell(text=str(row.trials)),
                    GridCell(text=str(row.right)),
                    GridCell(text=f"{row.share:.2f}", detail=_ends(row.interval, 2)),
                    GridCell(text=_p(row.p)),
                    GridCell(text=NOTHING if row.p_holm is None else _p(row.p_holm)),
                ]
            )
        return [
            Grid(
                title=f"ABX, test {self.test[:8]}",
                heads=[
                    Head(title="Pair", number=False),
                    Head(title="Listener", number=False),
                    Head(title="Trials"),
                    Head(title="Right"),
                    Head(title="Share"),
                    Head(title="p"),
                    Head(title="p", below="Holm"),
                ],
                groups=list(groups.values()),
                notes=self.notes,
                whole=True,
            )
        ]

    def to_csv(self) -> str:
        """`ABX_CSV`, all digits; the listener is empty in everyone's rows."""
        return _csv(
            ABX_CSV,
            [
                [r.a, r.b, r.listener, r.trials, r.right, r.share, r.interval.low, r.interval.high,
                 r.p, r.p_holm]
                for r in self.rows
            ],
        )  # fmt: skip

    def to_json(self) -> str:
        """Everything."""
        return _json({"method": "abx", "test": self.test, "rows": [asdict(r) for r in self.rows],
                      "notes": list(self.notes)})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class MushraReport:
    """Mean ratings, and differences of codecs."""

    test: str
    means: tuple[Mean, ...]
    differences: tuple[Mean, ...]
    left_out: Mapping[str, str]
    notes: tuple[str, ...]

    def grids(self) -> list[Grid]:
        """Tables for people: the best first; then differences, bold where zero is outside."""
        spread = [
            Head(title="by listeners", block="by"),
            Head(title="by items", block="by"),
            Head(title="n"),
        ]
        grids = [
            Grid(
                title=f"MUSHRA, test {self.test[:8]}",
                heads=[Head(title="System", number=False), Head(title="Mean"), *spread],
                groups=[[self._row(mean, mean.system) for mean in self.means]],
                notes=() if self.differences else self.notes,
            )
        ]
        if self.differences:
            grids.append(
                Grid(
                    title="Differences",
                    heads=[Head(title="Systems", number=False), Head(title="Difference"), *spread],
                    groups=[
                        [self._row(d, f"{d.system} minus {d.minus}") for d in self.differences]
                    ],
                    notes=self.notes,
                )
            )
        return grids

    @staticmethod
    def _row(mean: Mean, name: str) -> list[GridCell]:
        low, high = mean.both.low, mean.both.high
        clear = bool(mean.minus) and low is not None and high is not None and low * high > 0
        value = f"{mean.value:+.1f}" if mean.minus else f"{mean.value:.1f}"
        return [
            GridCell(text=name),
            GridCell(text=value, detail=_ends(mean.both, 1), bold=clear),
            GridCell(text=_ends(mean.listeners, 1) or NOTHING),
            GridCell(text=_ends(mean.items, 1) or NOTHING),
            GridCell(text=str(mean.n)),
        ]

    def to_csv(self) -> str:
        """`MUSHRA_CSV`, all digits; ``minus`` is empty in rows of means."""
        lines: list[Sequence[object]] = [
            [m.system, m.minus, m.value, m.both.low, m.both.high, m.listeners.low,
             m.listeners.high, m.items.low, m.items.high, m.n]
            for m in (*self.means, *self.differences)
        ]  # fmt: skip
        return _csv(MUSHRA_CSV, lines)

    def to_json(self) -> str:
        """Everything."""
        return _json(
            {
                "method": "mushra",
                "test": self.test,
                "means": [asdict(mean) for mean in self.means],
                "differences": [asdict(mean) for mean in self.differences],
                "left_out": dict(self.left_out),
                "notes": list(self.notes),
            }
        )


def build_abx(key: Key, sessions: Sequence[Session]) -> AbxReport:
    """Weigh the answers of an ABX test."""
    return AbxReport(
        test=key.test,
        rows=tuple(abx.discriminate(key, sessions)),
        notes=(
            *_sessions(sessions),
            "p: probability of at least so many right answers by guessing (exact binomial test, "
            "one-sided); Holm: corrected for the pairs of the test.",
            "[low, high]: exact 95 % interval of the share (Clopper and Pearson). Rows of everyone "
            "take all trials as alike: of listeners who hear differently, read theirs.",
        ),
    )


def build_mushra(
    key: Key, sessions: Sequence[Session], *, keep_all: bool = False, n_boot: int = N_BOOT,
    seed: int = 0,
) -> tuple[MushraReport, list[str]]:  # fmt: skip
    """Weigh the ratings of a MUSHRA test; also gives the listeners that count.

    Args:
        keep_all: leave nobody out by post-screening.
    """
    everyone = mushra.panel(key, sessions)
    screened = mushra.screen(everyone)
    left_out = {} if keep_all or len(screened) == len(everyone.listeners) else screened
    panel = everyone.without(list(left_out))
    systems = [s.system for s in key.stimuli.values() if s.role == "system"]
    means, differences = mushra.means(panel, systems, n_boot=n_boot, seed=seed)
    verb = "Left out" if left_out else "Kept, though post-screening (ITU-R BS.1534-3) leaves out"
    screening = [f"{verb}: {name}: {why}." for name, why in screened.items()]
    if left_out:
        screening.append("Post-screening is that of ITU-R BS.1534-3; --keep-all keeps all.")
    elif screened and not keep_all:
        screening.append("Nobody passed the post-screening: these numbers say little.")
    rows, columns = len(panel.listeners), len(panel.items)
    report = MushraReport(
        test=key.test,
        means=tuple(means),
        differences=tuple(differences),
        left_out=left_out,
        notes=(
            *_sessions(sessions),
            *screening,
            f"{rows} listener{'s' * (rows != 1)}, {columns} item{'s' * (columns != 1)}. "
            f"[low, high]: 95 % bootstrap interval, {n_boot} resamples of listeners and items at "
            f"once, seed {seed}; by listeners, by items: of one of them alone.",
            *_reasons(means),
            *(
                ["Differences: paired, bold where the interval leaves out zero; not corrected for "
                 "their number."]
                if differences else []
            ),
        ),
    )  # fmt: skip
    return report, list(panel.listeners)


def write_ratings(
    path: Path, key: Key, sessions: Sequence[Session], listeners: Sequence[str]
) -> int:
    """Write ratings of codecs as the table that `sqbench agreement` holds metrics against.

    Returns:
        How many lines it has.
    """
    references = {s.item: s.audio for s in key.stimuli.values() if s.role == "reference"}
    lines: list[Sequence[object]] = []
    for session in sessions:
        for rating in session.ratings:
            stimulus, item = key.stimuli[rating.stimulus], key.items[rating.item]
            if stimulus.role != "system" or session.listener not in listeners:
                continue
            files = [
                os.path.relpath(file, path.resolve().parent)
                for file in (stimulus.audio.resolve(), references[rating.item].resolve())
            ]
            who = session.listener
            lines.append([item.utterance, stimulus.system, *files, who, rating.score, item.domain])
    write_text(path, _csv(RATINGS_CSV, lines))
    return len(lines)


def _sessions(sessions: Sequence[Session]) -> list[str]:
    return [
        f"{each.listener}: {each.trials} of {each.planned} trials done ({each.path})."
        for each in sessions
        if each.trials < each.planned
    ]


def _reasons(means: Sequence[Mean]) -> list[str]:
    reasons = dict.fromkeys(
        i.reason for m in means for i in (m.both, m.listeners, m.items) if i.reason
    )
    return [f"No interval: {reason}." for reason in reasons]


def _ends(interval: Interval, digits: int) -> str:
    if interval.low is None or interval.high is None:
        return ""
    return f"[{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"


def _csv(header: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    for line in lines:
        writer.writerow(["" if v is None else repr(v) if isinstance(v, float) else v for v in line])
    return stream.getvalue()


def _json(content: object) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
