"""Results in hand: what `sqbench.evaluate` returns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqbench.errors import InputError
from sqbench.store import reader as stores
from sqbench.store.aggregate import Failures, rows
from sqbench.store.applications import applications
from sqbench.store.reader import Store
from sqbench.store.record import Observation, Record
from sqbench.store.writer import copy_run

if TYPE_CHECKING:
    import pandas as pd

    from sqbench.report.render import Report


class Shown(str):
    """A report as text; a notebook shows it as a table.

    Attributes:
        report: its data (`sqbench.report.table.Table`, `sqbench.report.compare.Comparison`).
    """

    report: Report

    @classmethod
    def of(cls, report: Report, format: str, width: int | None) -> Shown:
        """A report in one of the formats of `sqbench.report.render.render`."""
        from sqbench.report.render import render

        shown = cls(render(report, format, width=width))
        shown.report = report
        return shown

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from sqbench.report.html import to_html
        from sqbench.report.render import grids

        return "".join(map(to_html, grids(self.report)))


class Results:
    """Records of any number of runs: as a table, as a comparison, as data frames.

    Example:
        >>> import sqbench
        >>> results = sqbench.evaluate(["mulaw-8", "silence"], metrics=["mel"], limit=1)
        >>> print(results.table(format="csv", codecs=["mulaw-8"]).splitlines()[0])
        model,bitrate_bps,measured_bps,num_codebooks,macs_g,params_m,sdr,mel,stoi,pesq,audio_sdr,audio_mel
        >>> results.compare("mulaw-8", "silence").report.metrics[0].column.key
        'mel'
        >>> sorted(set(results.frame["codec"]))
        ['mulaw-8', 'silence']
        >>> results.save(folder)                    # doctest: +SKIP
        >>> results = sqbench.Results.load(folder)  # doctest: +SKIP

    Attributes:
        store: the records and runs themselves.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    @classmethod
    def load(cls, path: Path | str | Sequence[Path | str]) -> Results:
        """Load one run, a folder of runs, or several folders.

        Raises:
            InputError: there are no results.
        """
        store = stores.load(path)
        if not store.runs:
            raise InputError(str(path), expected="results", found="no run")
        return cls(store)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per score record, with the columns of `Record` and ``run_id``.

        All of them, of audio that has changed since too; `summary` counts what is in force.
        ``value`` is NaN where there is none; ``status`` and ``reason`` say why.
        """
        columns = ("bits", "duration_s", "encode_s", "decode_s")
        return self._frame("score").drop(columns=list(columns))

    @cached_property
    def coding(self) -> pd.DataFrame:
        """One row per clip that a codec coded: bits, seconds of audio, seconds spent."""
        return self._frame("coding").drop(columns=["metric", "metric_version", "protocol", "value"])

    @cached_property
    def observations(self) -> pd.DataFrame:
        """One row per clip that an evaluator heard, decoded or original, with the columns of
        `sqbench.store.record.Observation` and ``run_id``; ``observed`` is the task's."""
        import pandas as pd

        names = [*Observation.__annotations__, "run_id"]
        lines = [
            {**heard, "run_id": self.store.origins[heard["key"]]}
            for heard in self.store.observations
        ]
        return pd.DataFrame(lines, columns=names).drop(columns=["schema", "kind"])

    @property
    def problems(self) -> list[str]:
        """What could not be read, with file and line."""
        return self.store.problems

    def summary(self, *, failures: Failures = "mean") -> pd.DataFrame:
        """One row per codec, source and protocol, with the columns of the table.

        Indexed by ``model``. ``complete`` says whether every expected utterance is scored.
        Quantities of applications are columns such as ``wer[pocketsphinx]``.

        Args:
            failures: see `sqbench.store.aggregate.rows`.
        """
        import pandas as pd

        named = ("bitrate_bps", "num_codebooks", "macs_g", "params_m")
        heard = applications(self.store)
        lines: list[dict[str, Any]] = [
            {
                "model": row.label,
                "weights": row.weights,
                "source": row.source,
                "protocol": row.protocol,
                **{name: row.number(name) for name in named},
                "measured_bps": row.measured_bps,
                **{key: cell.value for key, cell in row.cells.items()},
                **{
                    f"{quantity}[{evaluator}]": estimate.value
                    for (_, evaluator), one in heard.get((row.source, row.codec_id), {}).items()
                    for quantity, estimate in one.values.items()
                },
                "complete": row.complete,
            }
            for row in rows(self.store, failures=failures)
        ]
        frame = pd.DataFrame(lines)
        return frame.set_index("model") if lines else frame

    def table(self, *, format: str = "rich", width: int | None = None, **options: Any) -> Shown:
        """What ``sqbench table`` prints: text, which a notebook shows as a table.

        Args:
            format: ``rich``, ``markdown``, ``latex``, ``csv`` or ``json``.
            width: columns to fit ``rich`` into; as wide as it needs if not given.
            options: ``ci``, ``sort``, ``paper``, ``failures``, ``source``, ``protocol``,
                ``codecs``, ``all_versions``, ``bold``: see `sqbench.report.table.build`.

        Raises:
            InputError: no results, or an option that does not fit them.
        """
        from sqbench.report import table

        return Shown.of(table.build(self.store, **options), format, width)

    def compare(
        self, a: str, b: str, *, format: str = "rich", width: int | None = None, **options: Any
    ) -> Shown:
        """Paired differences of codecs ``a`` and ``b``, as ``sqbench compare`` prints them.

        The numbers are in the ``report`` of what is returned.

        Args:
            a: a codec's name, its label in the table, or its id.
            b: the same of the other.
            format: see `table`.
            width: see `table`.
            options: ``source``, ``protocol``, ``all_versions``: see
                `sqbench.report.compare.build`.

        Raises:
            InputError: a codec is not there or not unique, or they share no source.
        """
        from sqbench.report import compare

        return Shown.of(compare.build(self.store, a, b, **options), format, width)

    def save(self, path: Path | str) -> None:
        """Write the runs into a folder that `load` and ``sqbench table`` read.

        Records that a newer run replaced are not written again.

        Raises:
            InputError: the folder already holds one of these runs, or cannot be written.
        """
        folder = Path(path)
        there = [r["run_id"] for r in self.store.runs if (folder / r["run_id"]).exists()]
        if there:
            raise InputError(
                str(folder),
                expected="a folder without these runs",
                found=f"run {', '.join(there)}",
                remedy="Name another folder.",
            )
        by_run: dict[str, list[Record | Observation]] = {r["run_id"]: [] for r in self.store.runs}
        everything: list[Record | Observation] = [*self.store.records, *self.store.observations]
        for record in everything:
            by_run[self.store.origins[record["key"]]].append(record)
        for run in self.store.runs:
            copy_run(folder, run, by_run[run["run_id"]])

    def _frame(self, kind: Literal["score", "coding"]) -> pd.DataFrame:
        import pandas as pd

        names = [*Record.__annotations__, "run_id"]
        lines = [
            {**record, "run_id": self.store.origins[record["key"]]}
            for record in self.store.records
            if record["kind"] == kind
        ]
        frame = pd.DataFrame(lines, columns=names).drop(columns=["schema", "kind"])
        numbers = ["value", "bits", "duration_s", "encode_s", "decode_s"]
        frame[numbers] = frame[numbers].astype("float64")
        return frame

    def _repr_html_(self) -> str:
        try:
            return self.table()._repr_html_()
        except InputError:  # nothing to make a table of
            return f"<pre>{escape(repr(self))}</pre>"

    def __repr__(self) -> str:
        codecs = dict.fromkeys(record["codec"] for record in self.store.records)
        return (
            f"Results({len(self.store.records)} records of {len(self.store.runs)} runs: "
            f"{', '.join(codecs)})"
        )
