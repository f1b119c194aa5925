"""``sqbench encode``: audio to ``.sqb`` files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqbench.cli.arguments import path
from sqbench.errors import InputError


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "encode",
        help="encode audio into .sqb files",
        description="A file into a file, or a folder into a folder of the same tree. "
        "Format: docs/bitstream.md",
    )
    parse.add_argument("audio", type=path, help="an audio file or a folder; first channels count")
    parse.add_argument(
        "-o", "--out", type=path, required=True, metavar="FILE.sqb", help="or a folder"
    )
    parse.add_argument("--codec", required=True, metavar="NAME", help="as for `sqbench run`")
    add_codec_options(parse)
    parse.set_defaults(handler=handle)


def add_codec_options(parse: argparse.ArgumentParser) -> None:
    """The options that say how a codec is loaded."""
    from sqbench.cli.run import add_device, add_weights

    add_weights(parse)
    add_device(parse)


def handle(options: argparse.Namespace) -> int:
    """Encode and say what it took; 2 if a file of a folder could not be."""
    from sqbench.bitstream.files import encode_file
    from sqbench.cli.run import check_device
    from sqbench.data.files import audio_files
    from sqbench_codecs import load_codec

    check_device(options.device)
    names = audio_files(options.audio) if options.audio.is_dir() else []
    work = pairs(options.audio, options.out, names, ".sqb")
    codec = load_codec(options.codec, weights=options.weights, device=options.device)

    def encode(source: Path, target: Path) -> str:
        done = encode_file(source, target, codec)
        return (
            f"{done.seconds:.2f} s, {done.payload_bytes * 8 / done.seconds:.1f} b/s "
            f"(codes {done.bits / done.seconds:.1f}), {done.file_bytes} bytes, "
            f"{codec.spec.name} {codec.weights.label}"
        )

    return each(work, encode)


def pairs(source: Path, out: Path, names: Sequence[str], suffix: str) -> list[tuple[Path, Path]]:
    """What is made of what: one file of a file, or for each name of a folder one in ``out``.

    A name keeps its own suffix, so that no two files of a folder become one.

    Raises:
        InputError: a folder without files, or a file where a folder is needed.
    """
    if not source.is_dir():
        return [(source, out)]
    if not names:
        raise InputError(str(source), expected="files to read", found="a folder without any")
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}", expected="a folder, as the input is one", found="a file")
    return [(source / name, out / f"{name}{suffix}") for name in names]


def each(work: Sequence[tuple[Path, Path]], make: Callable[[Path, Path], str]) -> int:
    """Make every file; of several a bad one costs itself. The exit status."""
    failed = 0
    for source, target in work:
        try:
            print(f"{target}: {make(source, target)}")
        except InputError as error:
            if len(work) == 1:
                raise
            failed += 1
            print(f"{source}: {error}", file=sys.stderr)
    if failed:
        print(f"{failed} of {len(work)} files failed", file=sys.stderr)
    return 2 if failed else 0
