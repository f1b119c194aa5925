"""The command line: ``sqbench COMMAND``. One file a command: parse, call, print."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from sqbench.cli import completion
from sqbench.errors import InputError

COMMANDS = (
    "run",
    "plan",
    "table",
    "compare",
    "report",
    "plot",
    "results",
    "score",
    "codecs",
    "metrics",
    "agreement",
    "complexity",
    "tokens",
    "listen",
    "train",
    "doctor",
    "fetch",
    "encode",
    "decode",
    "data",
    "export",
    "export-onnx",
    "quantize",
)

EPILOG = """\
examples:
  sqbench run --codec sqcodec-6k --codec opus-6k --suite signal --data mini --out results/
  sqbench table results/ --paper
  sqbench score --ref originals/ --est decoded/
exit status: 0 everything scored, 2 some scores are missing (and listed), 1 could not run
"""


class _Parser(argparse.ArgumentParser):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        # An abbreviation means something else once there is another option.
        super().__init__(*arguments, **{**options, "allow_abbrev": False})

    def parse_known_args(self, *arguments: Any, **options: Any) -> Any:
        # Of what a command does not know it tells itself, with its own usage.
        found, unknown = super().parse_known_args(*arguments, **options)
        # What the trainer's own parsers take is theirs to tell.
        if unknown and not self.prog.startswith("sqbench train"):
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> None:  # type: ignore[override]
        # argparse would exit with 2, which here means that a run left scores missing.
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: error: {message}\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    from sqbench import __version__

    parse = _Parser(
        prog="sqbench",
        description="Benchmark neural audio codecs by the Codec-SUPERB protocol.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parse.add_argument("--version", action="version", version=f"sqbench {__version__}")
    parse.add_argument(
        "--print-completion", action=completion.Print,
        help=f"print what completes this command in a shell ({', '.join(completion.SHELLS)}): "
        'eval "$(sqbench --print-completion bash)"',
    )  # fmt: skip
    commands = parse.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=_Parser
    )
    for name in COMMANDS:
        import_module(f"sqbench.cli.{name.replace('-', '_')}").add(commands)
    return parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status."""
    from sqcodec.streams import guarded

    return guarded("sqbench: error", lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    options = parser().parse_args(arguments)
    try:
        status: int = options.handler(options)
        return status
    except InputError as error:
        print(f"sqbench {options.command}: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        kept = ""
        if options.command in ("run", "quantize", "agreement"):
            kept = "; what was finished is kept, the same command goes on"
        print(f"interrupted{kept}", file=sys.stderr, flush=True)
        # A codec at work in its thread would keep the interpreter from ending.
        os._exit(130)
