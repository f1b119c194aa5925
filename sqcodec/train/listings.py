"""What ``--list-recipes`` and ``--list-keys`` print."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

from sqcodec.train.recipes.recipe import Recipe, keys, shipped_changes, shipped_recipes
from sqcodec.train.recipes.values import example


class Print(argparse.Action):
    """An option that prints lines and ends the program, as ``--help`` does."""

    def __init__(
        self, option_strings: list[str], dest: str, *, lines: Callable[[], Iterator[str]], help: str
    ) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)
        self._lines = lines

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print("\n".join(self._lines()))
        parser.exit()


def add(parse: argparse.ArgumentParser) -> None:
    """Add both options."""
    parse.add_argument(
        "--list-recipes", action=Print, lines=recipe_lines, help="print the recipes and stop"
    )
    parse.add_argument(
        "--list-keys", action=Print, lines=key_lines,
        help="print the keys of --set with their types and defaults, and stop",
    )  # fmt: skip


def recipe_lines() -> Iterator[str]:
    """Each shipped recipe with the first sentence of its comment, or else what it changes."""
    for name in shipped_recipes():
        text = resources.files("sqcodec.train").joinpath("recipes", f"{name}.toml").read_text()
        comment = []
        for line in text.splitlines():
            if not line.startswith("#"):
                break
            comment.append(line.removeprefix("#").strip())
        words = " ".join(comment).partition(". ")[0].rstrip(".")
        changes = ", ".join(f"{key}={example(v)}" for key, v in shipped_changes(name).items())
        yield f"{name:<14}  {words or changes}"


def key_lines() -> Iterator[str]:
    """Each key with its type and its default, which the published recipe keeps."""
    found = [(key, type(value).__name__, _text(value)) for key, value in keys(Recipe())]
    wide = max(len(key) for key, _, _ in found)
    for key, kind, default in found:
        yield f"{key:<{wide}}  {kind:<5}  {default}"


def _text(value: Any) -> str:
    if isinstance(value, dict) and not value:
        return "(empty; such as speech:3,music:1)"
    return example(value)
