"""``sqbench plan``: hours, memory and money of a run on so many machines."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from sqbench.cli.arguments import path


def add(commands: Any) -> None:
    """Register the command."""
    from sqbench.cli.run import add_codec, add_data, add_device, add_protocol, add_weights, names

    parse = commands.add_parser(
        "plan",
        help="what a run would take on so many machines",
        description="Measure what a few clips cost, and simulate the run on so many machines.",
    )
    add_codec(parse)
    parse.add_argument("--suite", default="signal", help="as of `sqbench run` (default: signal)")
    parse.add_argument("--metrics", type=names, help="instead of a suite's, with commas between")
    parse.add_argument("--evaluators", metavar="WHO", help="as of `sqbench run`")
    add_data(parse)
    add_weights(parse)
    add_protocol(parse)
    add_device(parse)
    parse.add_argument(
        "--nodes", type=names, default=["1"], metavar="N,N", help="numbers of machines (default: 1)"
    )
    parse.add_argument("--cpus", type=int, metavar="N", help="of a machine (default: of this one)")
    parse.add_argument("--gpus", type=int, default=0, metavar="N", help="of a machine (default: 0)")
    parse.add_argument("--hosts", type=int, default=1, metavar="N", help="as of `sqbench run`")
    parse.add_argument("--batch-size", type=int, default=8, metavar="N", help="as of `sqbench run`")
    parse.add_argument(
        "--results", type=path, metavar="DIR",
        help="take seconds of codecs from results of a machine like those; metrics are measured "
        "here",
    )  # fmt: skip
    parse.add_argument("--sample", type=int, default=8, metavar="N", help="clips measured (8)")
    parse.add_argument(
        "--prices", type=path, metavar="FILE", help='TOML: node_hour = 3.06, currency = "EUR"'
    )
    parse.add_argument("--start-s", type=float, default=0.0, help="until the machines are there")
    parse.add_argument(
        "--clip-ms", type=float, default=0.0,
        help="that a clip takes beside coding and measuring (benchmarks/clips.py measures it)",
    )  # fmt: skip
    parse.add_argument("--slow-share", type=float, default=0.0, help="of machines at half speed")
    parse.add_argument(
        "--losses", type=float, default=0.0, metavar="RATE", help="of a machine an hour"
    )
    parse.add_argument("--seed", type=int, default=0, help="of what goes wrong (default: 0)")
    parse.add_argument("--format", choices=("table", "json"), default="table")
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Print; 0 all measured, 2 some not."""
    from sqbench.cli.run import check_device, chosen
    from sqbench.data.resolve import open_source
    from sqbench.engine.options import Options, cores
    from sqbench.engine.systems.opening import check_names
    from sqbench.planning import plan, prices, report
    from sqbench.planning.simulate import Machines, Troubles
    from sqbench.report import render
    from sqbench.store import reader

    counts = _counts(options)
    priced = None if options.prices is None else prices.read(options.prices)
    codecs = chosen(options.codec)
    check_names(codecs, options.weights)
    check_device(options.device)
    planned = plan.stages(
        codecs,
        open_source(options.data, domain=options.domain),
        Options(
            suite=options.suite,
            metrics=options.metrics,
            evaluators=options.evaluators,
            protocol=options.protocol,
            weights=options.weights,
            device=options.device,
        ),
        count=options.sample,
        store=None if options.results is None else reader.load(options.results),
        say=lambda text: print(text, file=sys.stderr),
    )
    rows = [
        plan.forecast(
            planned,
            Machines(
                count=count,
                cpus=options.cpus or cores(),
                hosts=options.hosts,
                gpus=options.gpus,
                start_s=options.start_s,
                clip_s=options.clip_ms / 1000.0,
            ),
            troubles=Troubles(slow_share=options.slow_share, losses_an_hour=options.losses),
            prices=priced,
            batch=options.batch_size,
            seed=options.seed,
        )
        for count in counts
    ]
    if options.format == "json":
        print(report.to_json(rows, planned), end="")
    else:
        render.show_grid(report.stages(planned))
        render.show_grid(report.forecasts(rows, planned, priced))
    return 2 if any(stage.problem for stage, _ in planned) else 0


def _counts(options: argparse.Namespace) -> list[int]:
    """The numbers of machines.

    Raises:
        InputError: one is no number, or another option is out of range.
    """
    from sqbench.errors import InputError

    for name, value, least in (
        ("--sample", options.sample, 1),
        ("--hosts", options.hosts, 1),
        ("--batch-size", options.batch_size, 1),
        ("--cpus", 1 if options.cpus is None else options.cpus, 1),
        ("--gpus", options.gpus, 0),
        ("--losses", options.losses, 0),
        ("--start-s", options.start_s, 0),
        ("--clip-ms", options.clip_ms, 0),
    ):
        if value < least:
            raise InputError(name, expected=f"at least {least}", found=str(value))
    if not 0 <= options.slow_share <= 1:
        raise InputError("--slow-share", expected="0 to 1", found=str(options.slow_share))
    found = [int(text) for text in options.nodes if text.isdigit() and int(text) > 0]
    if len(found) < len(options.nodes) or not found:
        expected = "numbers of machines, with commas between"
        raise InputError("--nodes", expected=expected, found=",".join(options.nodes))
    return found
