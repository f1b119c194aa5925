"""The paper's ablations: ``python -m sqcodec.train.ablation``.

Every row is a training run of its own, all with one config, recipe, seed and audio, and one change
each. ``sqbench table --ablation DIR`` prints what they came to.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqcodec.errors import InputError
from sqcodec.streams import guarded
from sqcodec.train import command, listings
from sqcodec.train.recipes.recipe import Recipe, load_recipe, shipped_changes
from sqcodec.train.record import write_json

if TYPE_CHECKING:
    from sqcodec.config import SQCodecConfig

BASELINE = "baseline"
ROWS: Mapping[str, str] = {
    BASELINE: "SQCodec",
    "window-150": "w/ 150 window size",
    "window-75": "w/ 75 window size",
    "window-40": "w/ 40 window size",
    "no-tconv": "w/o TConv",
    "no-teconv": "w/o TEConv",
    "no-perceptual": "w/o Perceptual Loss",
}
"""Rows of the paper's Table 3 in its order: the recipe that makes the change, and its wording."""
EXTRA: Mapping[str, str] = {"ste": "w/ STE", "taae": "w/ TAAE noise"}
"""Rows beyond the paper's: how the quantizer is trained."""
DESCRIPTION = """\
Train the rows of the paper's Table 3 one after the other; those that are finished are not trained
again, one that was stopped goes on. A row's folder is weights: --codec sqcodec --weights OUT/ROW.
"""
SUMMARY = "ablation.json"
RESULTS = "results"
HELD_OUT = "held-out"


def parser() -> argparse.ArgumentParser:
    """The command's own parser."""
    parse = command.Parser(prog="python -m sqcodec.train.ablation", description=DESCRIPTION)
    add_options(parse)
    return parse


def add_options(parse: argparse.ArgumentParser) -> None:
    """Add the trainer's options, as far as they hold for all rows, and which rows."""
    known = {**ROWS, **EXTRA}
    parse.add_argument("--config", default="6k", metavar="NAME", help="as for the trainer")
    parse.add_argument("--data", type=command.path, nargs="+", required=True, metavar="PLACE")
    parse.add_argument(
        "--out", type=command.path, required=True, help="folder of a folder for each row"
    )
    parse.add_argument("--recipe", action="append", default=[], metavar="NAME")
    parse.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parse.add_argument("--max-steps", help="optimiser steps of each row")
    parse.add_argument(
        "--rows", nargs="+", choices=list(known), default=list(ROWS), metavar="ROW",
        help=f"of {', '.join(known)} (default: the paper's)",
    )  # fmt: skip
    parse.add_argument(
        "--init", metavar="WEIGHTS", help="where every row starts, as for the trainer"
    )
    parse.add_argument(
        "--eval-data",
        metavar="SOURCE",
        help="as for `sqbench run --data` (default: held-out clips)",
    )
    parse.add_argument("--device", default="cpu", help="as for the trainer (default: cpu)")
    parse.add_argument("--threads", help="as for the trainer")
    listings.add(parse)


def main(arguments: list[str] | None = None) -> int:
    """Train and evaluate the rows; returns the exit status, that of the first row to stop."""
    return guarded("error", lambda: run(parser().parse_args(arguments)))


def run(options: argparse.Namespace) -> int:
    """Train and evaluate the rows that were asked for; returns the exit status."""
    try:
        for row in options.rows:
            if status := _row(row, options):
                return status
    except BrokenPipeError:
        raise
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _row(row: str, options: argparse.Namespace) -> int:
    trainer = command.parser().parse_args(_arguments(row, options))
    trainer.cache = options.out / "cache"
    config = command.network_config(trainer.config)
    recipe = load_recipe(trainer.recipe or ["published"], config.name).override(trainer.set)
    if not recipe.seconds:  # a crop's windows are not equally long in all rows
        trainer.set.append(f"seconds={recipe.crop_length(config) / config.sample_rate}")
    steps = [] if trainer.max_steps is None else [f"max_steps={trainer.max_steps}"]
    recipe = recipe.override([*trainer.set, *steps])
    wanted = {"config": recipe.network(config).to_dict(), "recipe": asdict(recipe)}
    wanted["init"] = options.init
    wanted = json.loads(json.dumps(wanted))
    found = read_summary(options.out).get(row)
    if found is not None and any(found.get(key) != value for key, value in wanted.items()):
        raise InputError(
            str(options.out / row),
            expected="the config, recipe and start that it was trained with",
            found="others",
            remedy="Choose another --out: rows of different recipes do not compare.",
        )
    if found is None:
        if recipe.select == "snr_db":
            trainer.evaluate_every = 0  # what sqbench measures at the end is enough
        print(f"{row}:", flush=True)
        if status := command.run(trainer):
            return status
    elif found["evaluated_on"] == options.eval_data:
        print(f"{row}: finished before", flush=True)
        return 0
    if os.environ.get("RANK", "0") == "0":  # one of the processes of torchrun
        found = {**wanted, **_trained(trainer.out, recipe), **_evaluated(row, config, options)}
        rows = {**read_summary(options.out), row: found}
        write_json(options.out / SUMMARY, {"rows": rows})
    return 0


def _arguments(row: str, options: argparse.Namespace) -> list[str]:
    """The trainer's command line; the row's own changes come last and win."""
    from sqcodec.train.checkpoints import Checkpoints

    out = options.out / row
    found = ["--config", options.config, "--out", str(out), "--device", options.device]
    found += ["--data", *map(str, options.data)]
    found += [part for name in options.recipe for part in ("--recipe", name)]
    changes = {} if row == BASELINE else shipped_changes(row)
    texts = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    found += [part for text in [*options.set, *texts] for part in ("--set", text)]
    for name in ("max_steps", "threads"):
        if (value := getattr(options, name)) is not None:
            found += [f"--{name.replace('_', '-')}", value]
    if Checkpoints(out).steps():
        return [*found, "--resume"]
    return found if options.init is None else [*found, "--init", options.init]


def _trained(out: Path, recipe: Recipe) -> dict[str, Any]:
    """What the table says of a row's training."""
    from sqcodec.checkpoint import MODEL_FILE, read_card
    from sqcodec.train.logs import LOG, read_log

    config, card = read_card(out / MODEL_FILE)
    crops = recipe.max_steps * recipe.batch_size * recipe.accumulate
    reports = [row for row in read_log(out / LOG) if row["kind"] == "report"]
    return {
        "step": card["step"],
        "steps": recipe.max_steps,
        "audio_hours_heard": crops * recipe.crop_length(config) / config.sample_rate / 3600,
        "training_seconds": reports[-1]["seconds"],
        "perceptual": card["perceptual"],
        "data_hours": card["data"]["hours"],
    }


def _evaluated(row: str, config: SQCodecConfig, options: argparse.Namespace) -> dict[str, Any]:
    """Score a row's exported weights into the folder that all rows share."""
    import sqbench
    from sqbench_codecs.sqcodec import SQCodecAdapter
    from sqcodec.api import SQCodec
    from sqcodec.train.data.corpus import Corpus
    from sqcodec.train.evaluation import Benchmark

    codec = SQCodec.from_pretrained(str(options.out / row), device=options.device)
    source = options.eval_data
    if source is None:
        corpus = Corpus(options.data, config.sample_rate, options.out / "cache")
        held_out = Benchmark(corpus, corpus.split()[1], options.out / HELD_OUT, row)
        if not held_out.clips:
            raise InputError("--data", expected="held-out clips", found="none in any domain",
                             remedy="Name other audio with --eval-data.")  # fmt: skip
        source = str(held_out.folder / "manifest.csv")
    sqbench.evaluate(
        SQCodecAdapter.of(codec, row),
        source,
        out=options.out / RESULTS,
        device=options.device,
        progress=False,
    )
    return {"weights_sha256": codec.weights.sha256, "evaluated_on": options.eval_data}


def read_summary(out: Path) -> dict[str, dict[str, Any]]:
    """The finished rows of a folder and what is known of them; none where it has none.

    Raises:
        InputError: the file that holds them is damaged.
    """
    path = out / SUMMARY
    if not path.is_file():
        return {}
    try:
        rows: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8"))["rows"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(str(path), expected="finished rows as JSON", found=str(error)) from None
    return rows


if __name__ == "__main__":
    sys.exit(main())
