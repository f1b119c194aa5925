"""``sqbench export-onnx``: SQCodec as two ONNX files, compared with the codec itself."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from sqbench.cli.arguments import path
from sqbench.cli.run import add_data


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "export-onnx",
        help="write SQCodec as ONNX, and compare",
        description="Write encoder.onnx and decoder.onnx, run them by onnxruntime over clips, and "
        "say what differs from the codec itself. docs/onnx.md says how to use the files.",
    )
    parse.add_argument(
        "--codec", default="sqcodec-6k", metavar="NAME", help="a setting of SQCodec (sqcodec-6k)"
    )
    parse.add_argument("--weights", default="auto", help="as for `sqbench run`")
    parse.add_argument("--out", type=path, required=True, metavar="DIR")
    parse.add_argument(
        "--int8", action="store_true", help="also write DIR/int8, of weights stored in 8 bits"
    )
    add_data(parse)
    parse.add_argument(
        "--limit", type=int, default=3, metavar="N",
        help="compare on N clips of each set (default: 3)",
    )  # fmt: skip
    parse.add_argument("--format", choices=("table", "json"), default="table")
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Write and compare; 0 if codes and audio of the exact variant are the codec's, 2 if not."""
    from sqbench.complexity import onnx
    from sqbench.errors import InputError
    from sqbench.report import render
    from sqbench_codecs.sqcodec import SQCodecAdapter, load_sqcodec

    if options.limit < 1:
        raise InputError("limit", expected="at least 1", found=str(options.limit))
    codec: SQCodecAdapter = load_sqcodec(options.codec, options.weights)
    clips = _clips(options, codec)
    variants = [("onnx", codec.codec.export_onnx(options.out))]
    if options.int8:
        variants.append(("onnx, int8", codec.codec.export_onnx(options.out / "int8", int8=True)))
    rows = onnx.measure(codec.codec, variants, clips)
    if options.format == "json":
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        render.show_grid(onnx.to_grid(rows))
    exact = rows[1]
    return 0 if exact.same == exact.codes and exact.deviation <= 1e-4 else 2


def _clips(options: argparse.Namespace, codec: Any) -> list[Any]:
    """The clips ``[T]`` at the codec's rate."""
    import numpy as np

    from sqbench import audio
    from sqbench.data.resolve import open_source
    from sqbench.engine.jobs import select
    from sqbench.engine.systems.base import read_reference

    found = []
    source = open_source(options.data, domain=options.domain)
    for item in select(source, (), options.limit).items:
        samples, rate = read_reference(item)
        found.append(audio.resample(samples, rate, codec.spec.sample_rate).astype(np.float32))
    return found
