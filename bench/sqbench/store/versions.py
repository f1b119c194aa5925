"""Which rows somebody wants to see: codecs by name, and of each only its newest version.

A codec in the making is run many times, each time as something else: its code or its tensors
changed, the name did not. Two rows are versions of one codec if name, kind of weights, source and
protocol are the same; the one that ran last is shown, unless all are asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from sqbench.errors import InputError
from sqbench.store.row import ResultRow


def chosen(
    rows: Sequence[ResultRow], codecs: Sequence[str] = (), *, all_versions: bool = False
) -> tuple[list[ResultRow], Mapping[str, int]]:
    """The rows of these codecs, the newest version of each.

    Args:
        codecs: names, labels (``name@id``), ids, or patterns of them (``dac-24k-*``); none for all.
        all_versions: also the older ones; one that is named by its id always is there.

    Returns:
        The rows, and by codec how many older versions are left out.

    Raises:
        InputError: a name that no row has.
    """
    for pattern in codecs:
        if not any(_is(row, pattern) for row in rows):
            known = dict.fromkeys(row.codec for row in rows)
            raise InputError(
                f"--codec {pattern}",
                expected=f"one of {', '.join(known)}" if known else "results",
                found="no results of it",
            )
    named = [row for row in rows if not codecs or any(_is(row, each) for each in codecs)]
    if all_versions:
        return named, {}
    newest: dict[tuple[str, ...], tuple[str, str]] = {}
    for row in named:
        newest[_of(row)] = max(newest.get(_of(row), row.last_run), row.last_run)
    kept = [
        row
        for row in named
        # Those of one run were asked for side by side.
        if row.last_run == newest[_of(row)]
        or any(each in (row.label, row.codec_id) for each in codecs)
    ]
    hidden = Counter(row.codec for row in named if not any(row is each for each in kept))
    return kept, dict(hidden)


def note(hidden: Mapping[str, int]) -> str:
    """What to say of versions that are not shown; empty if there are none."""
    if not hidden:
        return ""
    counts = ", ".join(f"{name} {count}" for name, count in hidden.items())
    return f"Older versions not shown: {counts} (--all-versions shows them)."


def _is(row: ResultRow, pattern: str) -> bool:
    return any(fnmatchcase(text, pattern) for text in (row.codec, row.label, row.codec_id))


def _of(row: ResultRow) -> tuple[str, ...]:
    weights = row.description.get("weights", {}).get("source", "")
    return (row.source, row.protocol, row.codec, str(weights))
