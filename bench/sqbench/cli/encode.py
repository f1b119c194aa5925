"""``sqbench encode``: audio to a ``.sqb`` file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "encode", help="encode audio into a .sqb file", description="Format: docs/bitstream.md"
    )
    parse.add_argument("audio", type=Path, help="an audio file; its first channel is encoded")
    parse.add_argument("-o", "--out", type=Path, required=True, metavar="FILE.sqb")
    parse.add_argument("--codec", required=True, metavar="NAME", help="as for `sqbench run`")
    add_codec_options(parse)
    parse.set_defaults(handler=handle)


def add_codec_options(parse: argparse.ArgumentParser) -> None:
    """The options that say how a codec is loaded."""
    parse.add_argument(
        "--weights", default="auto", help="auto, official, bundled, or a path (default: auto)"
    )
    parse.add_argument("--device", default="cpu", help="of the codec (default: cpu)")


def handle(options: argparse.Namespace) -> int:
    """Encode and say what it took."""
    from sqbench.bitstream.files import encode_file
    from sqbench_codecs import load_codec

    codec = load_codec(options.codec, weights=options.weights, device=options.device)
    done = encode_file(options.audio, options.out, codec)
    print(
        f"{options.out}: {done.seconds:.2f} s, {done.payload_bytes * 8 / done.seconds:.1f} b/s "
        f"(codes {done.bits / done.seconds:.1f}), {done.file_bytes} bytes, "
        f"{codec.spec.name} {codec.weights.label}"
    )
    return 0
