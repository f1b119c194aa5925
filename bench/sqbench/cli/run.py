"""``sqbench run``: codecs over data, scored; resumes what is there."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "run",
        help="run codecs over data and score them",
        description="Run codecs over data and score what comes out. Running the same command "
        "again computes only what is missing.",
    )
    parse.add_argument(
        "--codec",
        action="append",
        required=True,
        metavar="NAME",
        help="a codec of `sqbench codecs` (NAME@WEIGHTS for weights of its own), "
        "path/to/file.py:Class, folder:PATH of audio decoded elsewhere, or "
        "path/to/python:file.py:Class; repeat for more",
    )
    parse.add_argument(
        "--suite", default="signal", help="signal, application or all (default: signal)"
    )
    parse.add_argument(
        "--evaluators",
        metavar="WHO",
        help="who listens in the application suite: offline (default), protocol, or task=name",
    )
    parse.add_argument("--metrics", help="comma-separated metrics instead of a suite's")
    add_data(parse)
    parse.add_argument("--out", type=Path, default=Path("results"), help="default: results/")
    parse.add_argument(
        "--weights",
        default="auto",
        help="auto, official, official@REV (a branch, tag or commit), bundled, or a path "
        "(default: auto: official if at hand)",
    )
    add_protocol(parse)
    parse.add_argument("--limit", type=int, metavar="N", help="at most N utterances of each set")
    add_workers(parse)
    parse.add_argument(
        "--device",
        default="cpu",
        help="of codecs and evaluators (default: cpu); cuda:0,cuda:1 holds each codec on both",
    )
    parse.add_argument(
        "--hosts", type=int, default=1, metavar="N",
        help="processes that hold a codec, on each device (default: 1); values do not depend on it",
    )  # fmt: skip
    parse.add_argument(
        "--codec-timeout", type=float, default=300.0, metavar="S",
        help="seconds a codec may take for a clip of up to 10 s, longer ones in proportion "
        "(default: 300)",
    )  # fmt: skip
    parse.add_argument(
        "--codec-memory", type=float, metavar="GB", help="most that a codec's process may take"
    )
    parse.add_argument(
        "--debug",
        action="store_true",
        help="codecs stay in this process, and what they raise ends it",
    )
    parse.add_argument("--batch-size", type=int, default=8, help="utterances per codec call")
    parse.add_argument("--seed", type=int, default=0, help="of random numbers (default: 0)")
    parse.add_argument("--save-audio", action="store_true", help="keep every decoded clip")
    parse.add_argument("--force", action="store_true", help="compute again what is there")
    parse.set_defaults(handler=handle)


def add_data(parse: argparse.ArgumentParser) -> None:
    """The options that name data."""
    parse.add_argument(
        "--data",
        default="mini",
        metavar="SOURCE",
        help="mini (embedded), an official SLT folder, a folder, a .csv or .jsonl manifest, "
        "or hf:NAME (default: mini)",
    )
    parse.add_argument(
        "--domain", choices=("speech", "music", "general"), help="of clips that do not say"
    )


def add_protocol(parse: argparse.ArgumentParser) -> None:
    """The option that names the scoring rules."""
    from sqbench.metrics.protocol import DEFAULT, PROTOCOLS

    parse.add_argument("--protocol", choices=PROTOCOLS, default=DEFAULT, help=f"default: {DEFAULT}")


def add_workers(parse: argparse.ArgumentParser) -> None:
    """The option that says how many processes measure."""
    parse.add_argument(
        "--workers",
        type=int,
        default=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        help="processes that measure (default: one a core); values do not depend on it",
    )


def names(text: str) -> list[str]:
    """A comma-separated list."""
    return [name.strip() for name in text.split(",") if name.strip()]


def handle(options: argparse.Namespace) -> int:
    """Run; 0 all scored, 2 some missing."""
    from sqbench.api import run
    from sqbench.cli.progress import Progress
    from sqbench.data.resolve import open_source
    from sqbench.engine.options import Options

    with Progress() as progress:
        outcome = run(
            options.codec,
            open_source(options.data, domain=options.domain),
            options.out,
            Options(
                suite=options.suite,
                metrics=names(options.metrics) if options.metrics is not None else None,
                evaluators=options.evaluators,
                protocol=options.protocol,
                weights=options.weights,
                limit=options.limit,
                workers=options.workers,
                device=options.device,
                batch_size=options.batch_size,
                hosts=options.hosts,
                codec_timeout_s=options.codec_timeout,
                codec_memory_gb=options.codec_memory,
                debug=options.debug,
                seed=options.seed,
                force=options.force,
                save_audio=options.save_audio,
                command=shlex.join(["sqbench", *sys.argv[1:]]),
            ),
            progress,
        )
        progress.finish(outcome, options.out)
    return 2 if outcome.failed or outcome.unpredicted or outcome.unloaded else 0
