"""``sqbench listen``: a page to hear codecs on."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from sqbench.cli.arguments import path
from sqbench.cli.encode import add_codec_options
from sqbench.cli.run import add_data


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "listen",
        help="write a page to hear codecs on, with spectrograms and scores",
        description="Code the beginning of a few clips, spread over speech, music and other "
        "sounds, and write a page that plays them: index.html, WAV files and spectrograms. It "
        "opens from the disk and needs no network.",
    )
    parse.add_argument(
        "--codec",
        action="append",
        required=True,
        metavar="NAME",
        help="as for `sqbench run`; repeat for more",
    )
    add_data(parse)
    parse.add_argument("--clips", type=int, default=4, metavar="N", help="how many (default: 4)")
    parse.add_argument(
        "--utterance",
        action="append",
        metavar="ID",
        help="this clip instead of a choice; repeat for more",
    )
    parse.add_argument(
        "--seconds",
        type=float,
        default=10.0,
        metavar="S",
        help="at most so much of each clip, from its beginning (default: 10)",
    )
    parse.add_argument("--out", type=path, default=Path("listen"), help="default: listen/")
    add_codec_options(parse)
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Write the page; 0 all is there, 2 audio or a score is missing."""
    from sqbench.data.choose import named, spread
    from sqbench.data.resolve import open_source
    from sqbench.engine.pool import ProcessPool
    from sqbench.listening.run import listen
    from sqbench.listening.write import write
    from sqbench.report.drawing import prepare
    from sqbench.report.progress import Progress
    from sqbench_codecs import CODECS

    for name in options.codec:
        CODECS.get(name)  # a misspelt name must not cost the time of those before it
    source = open_source(options.data, domain=options.domain)
    if options.utterance:
        utterances = named(source, options.utterance)
    else:
        utterances = spread(source, options.clips)
    prepare(options.out, "--out")
    with Progress() as progress, ProcessPool(1) as pool:
        listening = listen(
            options.codec,
            source,
            utterances,
            pool,
            progress,
            seconds=options.seconds,
            weights=options.weights,
            device=options.device,
        )
        progress.missing("on the page")
        progress.note(f"writing {len(listening.clips)} clips")
        page = write(listening, options.out, shlex.join(["sqbench", *sys.argv[1:]]))
        progress.note(f"Next: open {page}")
    return 0 if listening.complete else 2
