"""``sqbench train``: the trainer's own commands, under the benchmark's name."""

from __future__ import annotations

import argparse
from typing import Any

from sqcodec.train import ablation, command, curve


def add(commands: Any) -> None:
    """Register the command."""
    parse = commands.add_parser(
        "train",
        help="train SQCodec, draw a run, train the paper's ablations",
        description="Train SQCodec. What is trained is `--codec sqcodec --weights RUN` in every "
        "other command, and SQCodec.from_pretrained(RUN).",
    )
    actions = parse.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, module, words in (
        ("run", command, "train on folders of audio"),
        ("curve", curve, "draw the course of a run"),
        ("ablation", ablation, "train the rows of the paper's Table 3"),
    ):
        action = actions.add_parser(
            name,
            help=words,
            description=module.DESCRIPTION,
            epilog=command.EPILOG if name == "run" else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_options(action)
        action.set_defaults(handler=module.run)
