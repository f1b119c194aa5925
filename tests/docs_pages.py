"""The pages under docs/, as tests see them: blocks of code, each with what its mark says.

A block runs unless a comment on the line above it says otherwise:

    <!-- test: slow; with --limit 1 for sqbench run; exits 2 for sqbench run -->
    <!-- test: file mine.toml -->
    <!-- test: not run: needs the model hub -->

``slow``: with the slow tests only. ``with``: options that are added, so that commands take seconds.
``exits``: the exit status expected, instead of 0. Both are for all commands of the block, or for
those that begin with what stands behind ``for``. ``file``: the block is the content of that file
(as a Python block that begins with ``# name.py`` is, without a mark). ``not run``: why not; its
commands must still parse.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md"))

_BLOCK = re.compile(
    r"(?:^<!-- test: (?P<mark>.+?) -->\n)?^```(?P<language>\w+)[^\n]*\n(?P<body>.*?)^```",
    flags=re.S | re.M,
)
_INLINE = re.compile(r"(?<!`)`(sqbench\s[^`]+)`(?!`)")
_FILE = re.compile(r"# ([\w.]+\.py)\n")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block of code and its mark."""

    language: str
    body: str
    slow: bool = False
    options: tuple[tuple[str, str], ...] = ()
    exits: tuple[tuple[str, str], ...] = ()
    file: str | None = None
    reason: str | None = None

    def shortened(self, words: list[str]) -> list[str]:
        """The command with the options that its mark adds."""
        return [*words, *shlex.split(" ".join(_those_for(words, self.options)))]

    def expected(self, words: list[str]) -> int:
        """The exit status that the command should have."""
        return int(["0", *_those_for(words, self.exits)][-1])

    @property
    def commands(self) -> list[list[str]]:
        """The commands of a block of shell, as words; comments and empty lines left out."""
        if self.language != "sh":
            return []
        lines = self.body.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def _those_for(words: list[str], said: tuple[tuple[str, str], ...]) -> list[str]:
    return [value for prefix, value in said if " ".join(words).startswith(prefix)]


def text(page: str) -> str:
    """The page as it is written."""
    return (DOCS / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    """All blocks of code that have a language, in order."""
    return [
        _block(found["language"], found["body"], found["mark"])
        for found in _BLOCK.finditer(text(page))
    ]


def inline_commands(page: str) -> list[list[str]]:
    """Whole commands named in the running text."""
    prose = re.sub(r"^```.*?^```$", "", text(page), flags=re.S | re.M)
    return [
        shlex.split(command)
        for command in _INLINE.findall(prose)
        if not re.search(r"\.\.\.|…|\{", command)
    ]


def _block(language: str, body: str, mark: str | None) -> Block:
    named = _FILE.match(body) if language == "python" else None
    told: dict[str, Any] = {"file": named[1]} if named else {}
    for part in re.split(r";\s*(?=slow|with |exits |file |not run)", mark) if mark else ():
        word, _, rest = part.partition(" ")
        if word == "slow" and not rest:
            told["slow"] = True
        elif word in ("with", "exits") and rest:
            value, _, prefix = rest.partition(" for ")
            name = "options" if word == "with" else "exits"
            told[name] = (*told.get(name, ()), (prefix, value))
        elif word == "file" and rest:
            told["file"] = rest
        elif part.startswith("not run: "):
            told["reason"] = part.removeprefix("not run: ")
        else:
            raise ValueError(f"mark {mark!r}: {part!r} is none of slow, with, exits, file, not run")
    return Block(language=language, body=body, **told)
