"""``sqbench listen``: a page to hear codecs on."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench.cli.arguments import path
from sqbench.cli.encode import add_codec_options
from sqbench.cli.run import add_data
from sqbench.errors import InputError

if TYPE_CHECKING:
    from sqbench.listening.run import Listening


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "listen",
        help="write a page to hear codecs on, with spectrograms and scores; or a blind test",
        description="Code the beginning of a few clips, spread over speech, music and other "
        "sounds, and write a page that plays them: index.html, WAV files and spectrograms. It "
        "opens from the disk and needs no network. With --blind it does not tell what is heard, "
        "and saves the answers.",
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
    parse.add_argument(
        "--single-file",
        action="store_true",
        help="put sounds and pictures into index.html, to send it",
    )
    parse.add_argument(
        "--match-level",
        action="store_true",
        help="play every version as loud as the original (ITU-R BS.1770-4); the page says so, and "
        "can be told otherwise",
    )
    blind = parse.add_argument_group(
        "blind tests", "index.html is to send to listeners; key/ is to keep, to read their answers"
    )
    blind.add_argument(
        "--blind",
        choices=("abx", "mushra"),
        help="abx: is a difference heard; mushra: ratings from 0 to 100, with hidden reference and "
        "low-pass anchors (ITU-R BS.1534)",
    )
    blind.add_argument(
        "--pair",
        action="append",
        nargs=2,
        metavar=("A", "B"),
        help="of abx, what to tell apart: codecs, or 'original'; repeat for more (default: each "
        "codec from the original)",
    )
    blind.add_argument(
        "--trials", type=int, metavar="N", help="of abx: of each pair, over all clips (default: 10)"
    )
    blind.add_argument(
        "--seed", type=int, metavar="N", help="of orders and of names on the page (default: 0)"
    )
    add_codec_options(parse)
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Write the page; 0 all is there, 2 audio or a score is missing."""
    from sqbench.data.choose import named, spread
    from sqbench.data.resolve import open_source
    from sqbench.engine.pool import ProcessPool
    from sqbench.engine.systems.names import expand
    from sqbench.engine.systems.opening import check_names
    from sqbench.listening.run import listen
    from sqbench.report.drawing import prepare, writable
    from sqbench.report.progress import Progress

    _check(options)

    codecs = expand(options.codec)
    check_names(codecs, options.weights)  # what is misspelt must not cost the time of the others
    source = open_source(options.data, domain=options.domain)
    if options.utterance:
        utterances = named(source, options.utterance)
    else:
        utterances = spread(source, options.clips)
    if options.blind:
        writable(options.out, "--out")
    else:
        prepare(options.out, "--out")
    with Progress() as progress, ProcessPool(1) as pool:
        listening = listen(
            codecs,
            source,
            utterances,
            pool,
            progress,
            seconds=options.seconds,
            weights=options.weights,
            device=options.device,
            score=not options.blind,
        )
        progress.missing("on the page")
        progress.note(f"writing {len(listening.clips)} clips")
        command = shlex.join(["sqbench", *sys.argv[1:]])
        if options.blind:
            _blind(options, listening, command, progress.note)
        else:
            from sqbench.listening.write import write

            page = write(
                listening,
                options.out,
                command,
                single_file=options.single_file,
                match_level=options.match_level,
            )
            progress.note(f"Next: open {page}")
    return 0 if listening.complete else 2


def _check(options: argparse.Namespace) -> None:
    """Options that mean nothing here are refused, not passed over."""
    alone = {"--pair": options.pair, "--trials": options.trials}
    for name, value in alone.items():
        if value is not None and options.blind != "abx":
            raise InputError(name, expected="--blind abx", found=options.blind or "no blind test")
    if options.seed is not None and not options.blind:
        raise InputError("--seed", expected="--blind abx or mushra", found="no blind test")


def _blind(
    options: argparse.Namespace, listening: Listening, command: str, note: Callable[[str], None]
) -> None:
    from sqbench.listening.blind.design import TRIALS, design
    from sqbench.listening.blind.write import KEY_FOLDER, write

    test = design(
        listening,
        options.blind,
        seed=options.seed or 0,
        pairs=[tuple(pair) for pair in options.pair or ()],
        trials=TRIALS if options.trials is None else options.trials,
        match_level=options.match_level,
    )
    for each in test.left_out:
        note(f"left out: {each}")
    page = write(test, options.out, command)
    note(
        f"Next: send {page} to listeners, keep {page.parent / KEY_FOLDER}, and read what they send "
        f"back: sqbench agreement FILE... --key {page.parent / KEY_FOLDER / 'key.json'}"
    )
