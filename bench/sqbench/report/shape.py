"""A table as somebody wants it printed: some of its columns, other digits, other names of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqbench.errors import InputError
from sqbench.report.table import Section, Table


def shaped(
    built: Table,
    *,
    columns: Sequence[str] = (),
    digits: Mapping[str, int] | None = None,
    names: Mapping[str, str] | None = None,
) -> Table:
    """The table with these columns in this order, decimals by column, and rows of other names.

    Args:
        built: what `sqbench.report.table.build` gave.
        columns: keys of columns, as in the CSV; all if empty.
        digits: decimals that are shown, by column; ``""`` is every score. Files keep all.
        names: label of a row to what it is to be called.

    Raises:
        InputError: a column or row that the table does not have.
    """
    known = list(dict.fromkeys(c.key for section in built.sections for c in section.columns))
    labels = list(dict.fromkeys(row.label for row in built.rows))
    for option, wanted, there in (
        ("--columns", columns, known),
        ("--digits", [key for key in digits or {} if key], known),
        ("--rename", [*(names or {})], labels),
    ):
        for key in wanted:
            if key not in there:
                raise InputError(f"{option} {key}", expected=f"one of {', '.join(there)}")
    sections = [_section(each, columns, digits or {}, names or {}) for each in built.sections]
    return replace(built, sections=tuple(sections))


def _section(
    section: Section, columns: Sequence[str], digits: Mapping[str, int], names: Mapping[str, str]
) -> Section:
    by = {column.key: column for column in section.columns}
    kept = [by[key] for key in columns if key in by] if columns else list(section.columns)
    every = digits.get("")
    shown = []
    for column in kept:
        wanted = digits.get(column.key, every if column.scores else None)
        shown.append(column if wanted is None else replace(column, digits=wanted))
    rows = [replace(row, label=names.get(row.label, row.label)) for row in section.rows]
    return replace(
        section,
        columns=tuple(shown),
        rows=tuple(rows),
        chosen=bool(columns) or section.chosen,
    )


def digits_of(text: str) -> dict[str, int]:
    """``2``, or ``sdr=1,pesq=2``, as `shaped` takes it.

    Raises:
        InputError: it is neither.
    """
    found = {}
    for part in text.split(","):
        key, _, number = part.rpartition("=")
        if not number.strip().isdigit() or int(number) > 12:
            raise InputError(
                f"--digits {text}", expected="decimals for all scores, or COLUMN=DECIMALS,..."
            )
        found[key.strip()] = int(number)
    return found


def names_of(texts: Sequence[str]) -> dict[str, str]:
    """``LABEL=NAME`` each, as `shaped` takes it.

    Raises:
        InputError: one without ``=``.
    """
    found = {}
    for text in texts:
        label, sign, name = text.partition("=")
        if not sign or not name.strip():
            raise InputError(f"--rename {text}", expected="LABEL=NAME")
        found[label] = name.strip()
    return found
