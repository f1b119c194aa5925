"""Operating points by number of codebooks: ``dac-24k@8``, ``encodec-24k@3``.

A residual quantizer's first codebooks are a codec of their own. Where a number of them has no name
in the listings, its point is made here and called ``encodec-24k-q3``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from sqcodec.errors import InputError

if TYPE_CHECKING:
    from sqbench_codecs.catalogue import CodecEntry

_POINT = re.compile(r"(?P<family>[\w-]+)(?:@|-q)(?P<books>\d+)")
_LADDER = re.compile(
    r"(?P<family>[^@]+)@(?P<first>\d+)\.\.(?P<last>\d+)(?::(?P<step>\d+))?(?P<rest>[@#].*)?"
)


def ladder(name: str) -> list[str] | None:
    """``dac-24k@1..32:4`` as its points: the first, then every multiple of the step, the last.

    ``None`` for a name that is no ladder.

    Example:
        >>> ladder("dac-24k@1..10:4@official")
        ['dac-24k@1@official', 'dac-24k@4@official', 'dac-24k@8@official', 'dac-24k@10@official']

    Raises:
        InputError: it has no points.
    """
    found = _LADDER.fullmatch(name)
    if found is None:
        return None
    first, last, step = int(found["first"]), int(found["last"]), int(found["step"] or 1)
    if not 1 <= first <= last or step < 1:
        raise InputError(
            f"codec {name!r}",
            expected="FAMILY@FIRST..LAST:STEP, with 1 <= FIRST <= LAST and a step of 1 or more",
        )
    books = [first, *(k for k in range(first + 1, last) if k % step == 0), last]
    return [f"{found['family']}@{k}{found['rest'] or ''}" for k in dict.fromkeys(books)]


def point(name: str, entries: Iterable[CodecEntry]) -> CodecEntry | None:
    """The entry of ``FAMILY@K``; ``None`` for a name of another kind.

    Raises:
        InputError: the family cannot have that number of codebooks.
    """
    found = _POINT.fullmatch(name)
    if found is None:
        return None
    family, books = found["family"], int(found["books"])
    members = [e for e in entries if e.name.startswith(f"{family}-") or e.name == family]
    members.sort(key=lambda entry: entry.spec.num_codebooks)
    if not members or ("@" not in name and not members[-1].prefixes):
        return None
    most = members[-1]
    rates = {(entry.spec.sample_rate, entry.target) for entry in members}
    if len(rates) > 1 or not most.prefixes:
        raise InputError(
            f"codec {name!r}",
            expected="a family whose number of codebooks can be chosen, with its rate",
            found=", ".join(entry.name for entry in members[:4]),
            remedy="Such as dac-24k@8, encodec-24k@3, mimi@12, xcodec@2, speechtokenizer@4.",
        )
    if not 1 <= books <= most.spec.num_codebooks:
        raise InputError(f"codec {name!r}", expected=f"1 to {most.spec.num_codebooks} codebooks")
    for entry in members:
        if entry.spec.num_codebooks == books:
            return entry
    spec, share = most.spec, books / most.spec.num_codebooks
    assert spec.bitrate_bps is not None
    spec = replace(
        spec,
        name=f"{family}-q{books}",
        codebook_sizes=spec.codebook_sizes[:books],
        bitrate_bps=spec.bitrate_bps * share,
    )
    return replace(most, spec=spec, aliases=())
