"""``sqbench run``: codecs over data, scored; resumes what is there."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench.cli.arguments import path
from sqbench.cli.lists import Joined

if TYPE_CHECKING:
    from sqbench.engine.plan import Outcome


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "run",
        help="run codecs over data and score them",
        description="Run codecs over data and score what comes out. Running the same command "
        "again computes only what is missing.",
    )
    add_codec(parse)
    parse.add_argument(
        "--suite",
        default="signal",
        help="signal (default), perceptual (what is installed of it), application, or all: signal "
        "and application",
    )
    parse.add_argument(
        "--evaluators",
        action=Joined,
        metavar="WHO",
        help="who listens in the application suite: offline (default), protocol, or task=name",
    )
    parse.add_argument(
        "--metrics",
        action=Joined,
        help="comma-separated metrics instead of a suite's; also path/to/file.py:Class",
    )
    add_data(parse)
    parse.add_argument("--out", type=path, default=Path("results"), help="default: results/")
    add_weights(parse)
    add_protocol(parse)
    parse.add_argument(
        "--limit", type=int, metavar="N",
        help="at most N clips of each set, spread over its classes and speakers",
    )  # fmt: skip
    parse.add_argument(
        "--engine", default="local", metavar="WHERE",
        help="local (default), ray (a cluster of this machine, or RAY_ADDRESS) or ray://ADDRESS; "
        "values do not depend on it",
    )  # fmt: skip
    parse.add_argument(
        "--shard", metavar="K/N",
        help="only the K-th of N parts of the clips, the same on every machine; `sqbench results "
        "merge` joins what they give",
    )  # fmt: skip
    add_workers(parse)
    add_device(parse, more="; cuda:0,cuda:1 holds each codec on both")
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
        "--batch-size", type=int, default=8, metavar="N",
        help="clips that a codec is handed at once (default: 8); values do not depend on it",
    )  # fmt: skip
    parse.add_argument(
        "--streaming", type=float, metavar="CHUNK_MS",
        help="codecs in streams, in chunks of so many ms: operating points of their own, which can "
        "also be named (sqcodec-6k@20ms)",
    )  # fmt: skip
    parse.add_argument("--seed", type=int, default=0, help="of random numbers (default: 0)")
    parse.add_argument("--save-audio", action="store_true", help="keep every decoded clip")
    parse.add_argument("--force", action="store_true", help="compute again what is there")
    parse.add_argument(
        "--debug", action="store_true",
        help="codecs stay in this process, and what they raise comes out",
    )  # fmt: skip
    parse.add_argument(
        "--config", type=path, metavar="FILE",
        help="these options from a TOML file (codec = [...], data = ..., limit = ...), or those of "
        "an earlier run from its run.json; options given here come first",
    )  # fmt: skip
    add_progress(parse)
    parse.add_argument("--json", action="store_true", help="a summary on standard output")
    parse.set_defaults(handler=handle, parse=parse)


def add_codec(parse: argparse.ArgumentParser) -> None:
    """The option that names systems."""
    parse.add_argument(
        "--codec", action="append", default=[], metavar="NAME",
        help="codecs of `sqbench codecs`: names with commas between, patterns (dac-16k-*), @paper, "
        "NAME@WEIGHTS; or path/to/file.py:Class, package.module:Class, folder:PATH (audio decoded "
        "elsewhere), path/to/python:file.py:Class; repeat for more",
    )  # fmt: skip


def add_weights(parse: argparse.ArgumentParser) -> None:
    """The option that says which weights codecs have that do not say themselves."""
    parse.add_argument(
        "--weights", default="auto", metavar="WHICH",
        help="of codecs that have some: auto (official if at hand, the default), official, "
        "official@REV (a branch, tag or commit), bundled, or a path",
    )  # fmt: skip


def add_device(parse: argparse.ArgumentParser, more: str = "") -> None:
    """The option that says where networks run."""
    parse.add_argument("--device", default="cpu", help=f"cpu, cuda or mps (default: cpu){more}")


def add_progress(parse: argparse.ArgumentParser) -> None:
    """The options that say how progress is shown."""
    parse.add_argument(
        "--progress", choices=("auto", "bars", "lines", "none"), default="auto",
        help="auto: bars in a terminal, else a line every 30 s or 5 %%",
    )  # fmt: skip
    parse.add_argument("--quiet", action="store_true", help="say only what has no score")


def add_data(parse: argparse.ArgumentParser) -> None:
    """The options that name data."""
    parse.add_argument(
        "--data", default="mini", metavar="SOURCE",
        help="mini (embedded), an official SLT folder, a folder, a .csv or .jsonl manifest, "
        "hf:NAME, or a URL of an object store (default: mini)",
    )  # fmt: skip
    parse.add_argument(
        "--domain", choices=("speech", "music", "general"), help="of clips that do not say"
    )


def add_protocol(parse: argparse.ArgumentParser) -> None:
    """The option that names the scoring rules."""
    from sqbench.metrics.protocol import DEFAULT, PROTOCOLS

    parse.add_argument("--protocol", choices=PROTOCOLS, default=DEFAULT, help=f"default: {DEFAULT}")


def add_workers(parse: argparse.ArgumentParser) -> None:
    """The option that says how many processes measure."""
    from sqbench.engine.options import cores

    parse.add_argument(
        "--workers", type=int, default=cores(), metavar="N",
        help="processes that measure (default: one a core); values do not depend on it",
    )  # fmt: skip


def names(text: str) -> list[str]:
    """A comma-separated list."""
    return [name.strip() for name in text.split(",") if name.strip()]


def check_device(text: str) -> list[str]:
    """The devices of an option, which are there.

    Raises:
        InputError: one is not.
    """
    from sqbench.engine.devices import check

    return [check(name) for name in names(text) or [""]]


def chosen(codecs: Sequence[str]) -> list[str]:
    """The systems that ``--codec`` names.

    Raises:
        InputError: none.
    """
    from sqbench.engine.systems.names import expand
    from sqbench.errors import InputError

    found = expand(codecs)
    if not found:
        raise InputError(
            "--codec", expected="at least one codec", found="none",
            remedy="`sqbench codecs` lists them; sqcodec-6k runs offline.",
        )  # fmt: skip
    return found


def handle(options: argparse.Namespace) -> int:
    """Run; 0 all scored, 2 some missing."""
    from sqbench.api import run
    from sqbench.cli.config import apply
    from sqbench.data.resolve import open_source
    from sqbench.engine.options import Options
    from sqbench.engine.shards import Shard
    from sqbench.engine.systems.names import streamed
    from sqbench.report.progress import Progress

    if options.config is not None:
        apply(options.config, options, options.parse)
    codecs = chosen(options.codec)
    if options.streaming is not None:
        codecs = streamed(codecs, options.streaming)
    if options.engine == "local":  # a cluster's devices are its nodes'
        check_device(options.device)
    with Progress(options.progress, quiet=options.quiet) as progress:
        outcome = run(
            codecs,
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
                engine=options.engine,
                shard=None if options.shard is None else Shard.parse(options.shard),
                command=shlex.join(["sqbench", *sys.argv[1:]]),
            ),
            progress,
        )
        progress.finish(outcome, options.out)
    status = 2 if outcome.failed or outcome.unpredicted or outcome.unloaded else 0
    if options.json:
        print(json.dumps(_summary(outcome, options.out, status), indent=1, ensure_ascii=False))
    return status


def _summary(outcome: Outcome, out: Path, status: int) -> dict[str, Any]:
    """What ``--json`` prints."""
    return {
        "results": str(out),
        "run": outcome.run_id,
        "status": status,
        "scored": outcome.scored,
        "failed": outcome.failed,
        "kept": outcome.kept,
        "predicted": outcome.predicted - outcome.unpredicted,
        "predictions_failed": outcome.unpredicted,
        "predictions_kept": outcome.predicted_kept,
        "not_loaded": outcome.unloaded,
        "remarks": outcome.remarks,
    }
