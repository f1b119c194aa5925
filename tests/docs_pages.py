"""The pages under docs/, as tests see them: blocks of code, each with what its mark says.

A block runs unless a comment on the line above it says otherwise:

    <!-- test: slow; with --limit 1 for sqbench run; exits 2 -->
    <!-- test: file mine.toml -->
    <!-- test: not run: needs the model hub -->

``slow``: with the slow tests only. ``with``: options that are added, to the commands that begin
with what stands behind ``for`` or else to all, so that these take seconds. ``exits``: the exit
status expected of the block's last command. ``file``: the block is the content of that file (as a
Python block that begins with ``# name.py`` is, without a mark). ``not run``: why not; its commands
must still parse.
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
    exits: int = 0
    file: str | None = None
    reason: str | None = None

    def shortened(self, words: list[str]) -> list[str]:
        """The command with the options that its mark adds."""
        added = [more for prefix, more in self.options if " ".join(words).startswith(prefix)]
        return [*words, *shlex.split(" ".join(added))]

    @property
    def commands(self) -> list[list[str]]:
        """The commands of a block of shell, as words; comments and empty lines left out."""
        if self.language != "sh":
            return []
        lines = self.body.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


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
        elif word == "with" and rest:
            more, _, prefix = rest.partition(" for ")
            told["options"] = (*told.get("options", ()), (prefix, more))
        elif word == "exits":
            told["exits"] = int(rest)
        elif word == "file" and rest:
            told["file"] = rest
        elif part.startswith("not run: "):
            told["reason"] = part.removeprefix("not run: ")
        else:
            raise ValueError(f"mark {mark!r}: {part!r} is none of slow, with, exits, file, not run")
    return Block(language=language, body=body, **told)
