"""``sqbench decode``: a ``.sqb`` file to audio."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sqbench.cli.encode import add_codec_options


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser("decode", help="decode a .sqb file into a WAV file")
    parse.add_argument("bitstream", type=Path, metavar="FILE.sqb")
    parse.add_argument("-o", "--out", type=Path, required=True, metavar="FILE.wav")
    parse.add_argument(
        "--codec", metavar="NAME", help="default: the one that the file names, if it is known"
    )
    add_codec_options(parse)
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Decode."""
    from sqbench.bitstream.files import decode_file

    seconds = decode_file(
        options.bitstream,
        options.out,
        codec=options.codec,
        weights=options.weights,
        device=options.device,
    )
    print(f"{options.out}: {seconds:.2f} s")
    return 0
