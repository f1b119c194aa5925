"""``sqbench codecs``: every operating point, and what it needs; ``check`` tries one's own."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqbench.cli.run import add_device, add_weights

if TYPE_CHECKING:
    from sqbench_codecs import CodecEntry

CHECK = "check"
"""Before names: try the contract on them. No codec has that name."""


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "codecs",
        help="list codecs and what each needs; codecs check FILE:CLASS tries one's own",
        description="Without a name, a line for each family; with names, patterns or families, "
        "every operating point of them. `sqbench codecs check my_codec.py:MyCodec` tries whether "
        "a codec keeps the contract, on three clips, and says what to mend.",
    )
    parse.add_argument(
        "names", nargs="*", metavar="NAME",
        help="such as dac, dac-24k, sqcodec-6k, @paper; or check and one codec or more",
    )  # fmt: skip
    parse.add_argument("--all", action="store_true", help="every operating point of all families")
    parse.add_argument("--format", choices=("table", "json"), default="table")
    add_weights(parse)
    add_device(parse, more="; both for check")
    parse.set_defaults(handler=handle)


def handle(options: argparse.Namespace) -> int:
    """Print; of a check 0 if there is nothing to mend, else 2."""
    from sqbench.report import render
    from sqbench_codecs import CODECS

    if options.names[:1] == [CHECK]:
        return _check(options.names[1:], options)
    entries = _chosen(options.names) if options.names else list(CODECS)
    for problem in CODECS.problems:
        print(f"warning: {problem}", file=sys.stderr)
    if options.format == "json":
        print(json.dumps([_described(entry) for entry in entries], indent=1))
    elif options.names or options.all:
        render.show_grid(_points(entries))
    else:
        render.show_grid(_families(entries))
    return 0


def _check(names: Sequence[str], options: argparse.Namespace) -> int:
    """Try the contract on codecs, and print what was found."""
    from sqbench.cli.run import check_device, chosen
    from sqbench.engine.contract import check

    check_device(options.device)
    found = [check(name, weights=options.weights, device=options.device) for name in chosen(names)]
    if options.format == "json":
        print(json.dumps([asdict(each) | {"ok": each.ok} for each in found], indent=1))
        return 0 if all(each.ok for each in found) else 2
    for each in found:
        print(each.name)
        for finding in each.findings:
            text = finding.text.strip().replace("\n", "\n" + " " * 18)
            print(f"  {finding.verdict:4}  {finding.what:10}  {text}")
        number = sum(finding.verdict == "mend" for finding in each.findings)
        print(f"  {number} to mend" if number else "  keeps the contract")
    return 0 if all(each.ok for each in found) else 2


def _chosen(names: Sequence[str]) -> list[CodecEntry]:
    from sqbench.engine.systems.names import expand
    from sqbench_codecs import CODECS
    from sqbench_codecs.catalogue import families

    of = families()
    found: dict[str, CodecEntry] = {}
    for name in names:
        entries = of.get(name) or [e for e in CODECS if e.name.startswith(f"{name}-")]
        for entry in entries or [CODECS.get(each) for each in expand([name])]:
            found[entry.name] = entry
    return list(found.values())


def _described(entry: CodecEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "aliases": list(entry.aliases),
        "sample_rate": entry.spec.sample_rate,
        "frame_rate": entry.spec.frame_rate,
        "num_codebooks": entry.spec.num_codebooks,
        "codebook_sizes": list(entry.spec.codebook_sizes),
        "bitrate_bps": entry.spec.bitrate_bps,
        "readiness": entry.readiness(),
        "summary": entry.summary,
    }


def _families(entries: Sequence[CodecEntry]) -> Any:
    from sqbench.report.grid import Grid, GridCell, Head
    from sqbench_codecs.catalogue import families

    rows = []
    for name, group in families().items():
        rates = sorted({entry.spec.sample_rate for entry in group if entry.spec.sample_rate})
        bits = [entry.spec.bitrate_bps for entry in group if entry.spec.bitrate_bps]
        span = f"{min(bits) / 1000:.3g} to {max(bits) / 1000:.3g}" if bits else "by rate"
        rows.append(
            [
                GridCell(text=name),
                GridCell(text=str(len(group))),
                GridCell(text=", ".join(f"{rate / 1000:g}" for rate in rates) or "any"),
                GridCell(text=span if len(set(bits)) != 1 else f"{bits[0] / 1000:.3g}"),
                GridCell(text=_state(group)),
            ]
        )
    heads = [
        Head(title="Family", number=False), Head(title="Points"),
        Head(title="Rate (kHz)", number=False), Head(title="kb/s", number=False),
        Head(title="Here", number=False),
    ]  # fmt: skip
    notes = [
        "`sqbench codecs FAMILY` lists its operating points; `--codec FAMILY-*` runs them all, "
        "`--codec @paper` the rows of the paper.",
        "Weights that are not here: `sqbench fetch --codec NAME`, or --weights PATH.",
    ]
    return Grid(title="", heads=heads, groups=[rows], notes=notes)


def _state(group: Sequence[CodecEntry]) -> str:
    """Whether a family can run here, in a word or two."""
    missing = dict.fromkeys(name for entry in group for name in entry.missing())
    if missing:
        return f"needs {', '.join(missing)}"
    ready = sum(entry.readiness().startswith("ready") for entry in group)
    if ready == len(group):
        return "ready"
    return "no weights" if not ready else f"{ready} of {len(group)} ready"


def _points(entries: Sequence[CodecEntry]) -> Any:
    from sqbench.report.grid import Grid, GridCell, Head

    rows = []
    for entry in entries:
        spec = entry.spec
        sizes = sorted(set(spec.codebook_sizes))
        rows.append(
            [
                GridCell(text=entry.name),
                GridCell(text=str(spec.sample_rate) if spec.sample_rate else "any"),
                GridCell(text=f"{spec.frame_rate:.2f}" if spec.frame_rate else "any"),
                GridCell(text=str(spec.num_codebooks)),
                GridCell(text=", ".join(map(str, sizes))),
                GridCell(text="by rate" if spec.bitrate_bps is None else f"{spec.bitrate_bps:.1f}"),
                GridCell(text=_state([entry])),
            ]
        )
    heads = [
        Head(title="Codec", number=False), Head(title="Rate", below="(Hz)"),
        Head(title="Frames", below="(1/s)"), Head(title="#Q"), Head(title="Size"),
        Head(title="Bitrate", below="(bps)"), Head(title="Here", number=False),
    ]  # fmt: skip
    summaries = dict.fromkeys(entry.summary for entry in entries if entry.summary)
    states = dict.fromkeys(
        entry.readiness() for entry in entries if not entry.readiness().startswith("ready")
    )
    return Grid(title="", heads=heads, groups=[rows], notes=[*summaries, *states])
