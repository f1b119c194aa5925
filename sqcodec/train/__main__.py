"""``python -m sqcodec.train``: parse, build, run."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

from sqcodec.errors import InputError


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parse = argparse.ArgumentParser(
        prog="python -m sqcodec.train", description="Train SQCodec on a folder of audio."
    )
    parse.add_argument("--config", default="6k", help="one of the seven settings (default: 6k)")
    parse.add_argument("--data", type=Path, required=True, help="folder of audio files")
    parse.add_argument("--out", type=Path, required=True, help="folder for logs and weights")
    parse.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override the recipe"
    )
    parse.add_argument("--max-steps", type=int, help="optimiser steps in all")
    parse.add_argument("--every", type=int, default=100, help="steps between validations")
    parse.add_argument("--resume", action="store_true", help="continue the run in --out")
    parse.add_argument("--init", type=Path, help="start from these weights (safetensors)")
    parse.add_argument("--device", default="cpu")
    parse.add_argument("--threads", type=int, help="CPU threads (default: torch's)")
    return parse


def main(arguments: list[str] | None = None) -> int:
    """Run; returns the exit status."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        return _train(options)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; continue with --resume", file=sys.stderr)
        return 130


def _train(options: argparse.Namespace) -> int:
    import torch

    from sqcodec.config import load_config
    from sqcodec.train.corpus import Corpus
    from sqcodec.train.loop import CHECKPOINT, Trainer
    from sqcodec.train.recipe import Recipe

    if options.threads:
        torch.set_num_threads(options.threads)
    config = load_config(options.config)
    recipe = Recipe().override(options.set)
    if options.max_steps is not None:
        recipe = recipe.override([f"max_steps={options.max_steps}"])
    corpus = Corpus(options.data, config.sample_rate, options.out / "cache")
    trainer = Trainer(config, recipe, corpus, options.out, options.device)
    if options.resume:
        trainer.resume(options.out / CHECKPOINT)
    elif options.init is not None:
        from sqcodec.checkpoint import load_checkpoint

        model, _ = load_checkpoint(options.init, config)
        trainer.model.load_state_dict(model.state_dict())
    parameters = sum(p.numel() for p in trainer.model.parameters())
    print(
        f"SQCodec {config.name}: {parameters:,} parameters, "
        f"{corpus.hours:.2f} h of audio, {recipe.max_steps} steps, from step {trainer.step}",
        flush=True,
    )
    trainer.run(every=options.every, report=_report)
    return 0


def _report(row: dict[str, Any]) -> None:
    validation = " ".join(
        f"{key.removeprefix('val_snr_db_')} {value:.2f}"
        for key, value in row.items()
        if key.startswith("val_snr_db_")
    )
    print(
        f"step {row['step']:6d}  loss {row['loss']:.3f}  SNR {row['snr_db']:.2f} dB  "
        f"validation {validation}  codes {row['distinct_codes']:.0%}  "
        f"{row['audio_s_per_s']:.2f} s/s",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
