"""``sqbench decode``: ``.sqb`` files to audio."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sqbench.cli.arguments import path
from sqbench.cli.encode import add_codec_options, each, pairs


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "decode",
        help="decode .sqb files into audio",
        description="A file into a file of the format that its name says (.wav, .flac, .ogg, "
        ".mp3, ...), or a folder into a folder of WAV files of the same tree.",
    )
    parse.add_argument("bitstream", type=path, metavar="FILE.sqb", help="or a folder of them")
    parse.add_argument(
        "-o", "--out", type=path, required=True, metavar="FILE.wav", help="or a folder"
    )
    parse.add_argument(
        "--codec", metavar="NAME", help="default: the one that a file names, if it is known"
    )
    add_codec_options(parse)
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Decode; 2 if a file of a folder could not be."""
    from sqbench.bitstream.files import Decoder
    from sqbench.cli.run import check_device

    check_device(options.device)
    folder = options.bitstream
    names = []
    if folder.is_dir():
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.sqb"))
    decoder = Decoder(codec=options.codec, weights=options.weights, device=options.device)
    work = [
        # What was made of `name.wav` is `name.wav.sqb`, and becomes `name.wav` again.
        (source, target.with_name(_audio_name(target.name)) if names else target)
        for source, target in pairs(folder, options.out, names, "")
    ]
    return each(work, lambda source, target: f"{decoder.decode(source, target):.2f} s")


def _audio_name(name: str) -> str:
    stem = name.removesuffix(".sqb")
    return str(Path(stem).with_suffix(".wav")) if Path(stem).suffix else f"{stem}.wav"
