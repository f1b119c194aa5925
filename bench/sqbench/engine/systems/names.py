"""How systems are named on a command line: lists, patterns, groups, weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from sqbench.errors import InputError
from sqbench.published.rows import published, table1
from sqbench_codecs import CODECS
from sqbench_codecs.points import ladder

FOLDER = "folder:"
PAPER = "@paper"

_INTERPRETER = re.compile(r"(?P<python>[^:]*python[^:/]*):(?P<target>.+)")
_OPERATING_POINT = re.compile(r"\d+(\.\.\d+)?(:\d+)?(#.*)?|\d+(\.\d+)?ms")


def expand(names: Sequence[str]) -> list[str]:
    """The systems that names stand for, each once, in their order.

    ``a,b`` are two, ``dac-24k@1..32:8`` a ladder of numbers of codebooks, ``dac-16k-*`` all codecs
    of that pattern, ``@paper`` those of the paper's Table 1; weights behind a pattern
    (``sqcodec-*@official``) are for each. Files, folders and interpreters are taken as they are.

    Raises:
        InputError: a pattern that no codec has.
    """
    found: list[str] = []
    for name in names:
        if ":" in name and not any(map(ladder, name.split(","))):
            found.append(name)
            continue
        for part in filter(None, (part.strip() for part in name.split(","))):
            found += _expanded(part)
    return list(dict.fromkeys(found))


def _expanded(name: str) -> list[str]:
    if points := ladder(name):
        return points
    if name == PAPER or name.startswith(f"{PAPER}@"):
        behind = name.removeprefix(PAPER)
        return [each + behind for each in paper()]
    if name.startswith("@"):
        raise InputError(f"codec {name!r}", expected=f"{PAPER}, the one group there is")
    pattern, weights = split_weights(name)
    if not any(sign in pattern for sign in "*?["):
        return [name]
    found = [known for known in CODECS.names() if fnmatchcase(known, pattern.lower())]
    if not found:
        raise InputError(
            f"codec {name!r}", expected="a pattern that codecs have", found="none of that name",
            remedy="`sqbench codecs` lists them.",
        )  # fmt: skip
    return [known if weights is None else f"{known}@{weights}" for known in found]


def streamed(names: Sequence[str], chunk_ms: float) -> list[str]:
    """Codecs in streams of so many milliseconds a chunk: ``sqcodec-6k@20ms`` for ``sqcodec-6k``.

    Raises:
        InputError: one that is no codec of the registry, or that cannot stream.
    """
    found = []
    for name in names:
        codec, weights = split_weights(name)
        if ":" in codec:
            raise InputError(
                f"codec {name!r} in a stream", expected="a codec of `sqbench codecs`",
                found="a file, a folder or an interpreter",
            )  # fmt: skip
        point = f"{codec}@{chunk_ms:g}ms"
        CODECS.check(point)
        found.append(point if weights is None else f"{point}@{weights}")
    return found


def paper() -> list[str]:
    """Codecs here that are rows of the paper's Table 1, in its order."""
    by_row = {published(entry.spec): entry.name for entry in reversed(list(CODECS))}
    return [by_row[row] for row in table1() if row in by_row]


def split_weights(name: str) -> tuple[str, str | None]:
    """``NAME@WEIGHTS`` apart; ``dac-24k@8`` and ``sqcodec-6k@20ms`` are operating points,
    ``@official@REV`` is a revision."""
    file = re.fullmatch(r"(.*\.py:\w+)(?:@(.+))?", name)
    if file:
        return file[1], file[2]
    first, *rest = name.split("@")
    while rest and _OPERATING_POINT.fullmatch(rest[0]):
        first = f"{first}@{rest.pop(0)}"
    return first, "@".join(rest) or None


def split_interpreter(name: str) -> tuple[str, str] | None:
    """``path/to/python:TARGET`` apart; ``None`` for anything else."""
    found = _INTERPRETER.fullmatch(name)
    return None if found is None else (found["python"], found["target"])
