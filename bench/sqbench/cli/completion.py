"""``sqbench --print-completion SHELL``: what makes a shell complete commands, options and names."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

from sqbench.errors import InputError

SHELLS = ("bash", "zsh", "fish", "tcsh")

PATHS = frozenset({"--data", "--weights", "data check source"})
"""Arguments that may be a path, though their type does not say so."""


class Print(argparse.Action):
    """An option that prints a shell's script and ends the program, as ``--help`` does."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        options = {**options, "choices": SHELLS, "metavar": "SHELL", "default": argparse.SUPPRESS}
        super().__init__(option_strings, dest, **options)

    def __call__(
        self, parser: argparse.ArgumentParser, _: object, value: Any, __: str | None = None
    ) -> None:
        try:
            text = script(parser, str(value))
        except InputError as error:
            parser.exit(1, f"{parser.prog}: error: {error}\n")
        print(text)
        parser.exit()


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script of a shell for a command line.

    Names of codecs and metrics are those of this moment: they are part of the script.

    Raises:
        InputError: the package that writes it is not installed.
    """
    try:
        import shtab
    except ImportError:
        raise InputError(
            "--print-completion",
            expected="the package shtab",
            found="no such package",
            remedy="Install it: pip install shtab.",
        ) from None
    from sqbench.metrics import catalogue
    from sqbench_codecs import CODECS

    names = {
        "--codec": _words("codecs", CODECS.names()),
        "--metrics": _words("metrics", catalogue.names()),
    }
    for prog, action in _actions(parser):
        option = next((name for name in action.option_strings if name in names), None)
        known = {*action.option_strings, f"{prog.partition(' ')[2]} {action.dest}"}
        if option is not None:
            complete: Any = names[option]
        elif getattr(action.type, "__name__", "") == "path" or known & PATHS:
            complete = shtab.FILE
        else:
            continue
        action.complete = complete  # type: ignore[attr-defined]
    text: str = shtab.complete(parser, shell)
    return text


def _actions(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """Every argument of a parser and of those below it, with the name of its program."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _actions(each)
        else:
            yield parser.prog, action


def _words(what: str, names: Sequence[str]) -> dict[str, Any]:
    """These words or a file (``file.py:Class``), in the form that `shtab` takes."""
    words = " ".join(names)
    function = f"_sqbench_{what}"
    return {
        "bash": function,
        "zsh": f"({words})",
        "fish": f"(printf '%s\\n' {words})",
        "tcsh": f"`printf '%s\\n' {words}`",
        "preamble": {"bash": f'{function}() {{ compgen -W "{words}" -- $1; compgen -f -- $1; }}'},
    }
