"""``python -m sqcodec.train``: parse, build, run.

Exit status: 0 done, 1 could not run (wrong usage included), 130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Any, NoReturn

from sqcodec.errors import InputError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Exit with 1, the status of all that cannot run (argparse's own is 2)."""
        self.print_usage(sys.stderr)
        self.exit(1, f"error: {message}\n")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parse = _Parser(
        prog="python -m sqcodec.train",
        description="Train SQCodec on a folder of audio.",
        epilog="Exit status: 0 done, 1 could not run, 130 interrupted.",
    )
    parse.add_argument("--config", default="6k", help="one of the seven settings (default: 6k)")
    parse.add_argument("--data", type=Path, required=True, help="folder of audio files")
    parse.add_argument("--out", type=Path, required=True, help="folder for logs and weights")
    parse.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override the recipe"
    )
    parse.add_argument("--max-steps", type=_positive, help="optimiser steps in all")
    parse.add_argument("--every", type=_positive, default=100, help="steps between validations")
    start = parse.add_mutually_exclusive_group()
    start.add_argument("--resume", action="store_true", help="continue the run in --out")
    start.add_argument("--init", type=Path, help="start from these weights (safetensors)")
    parse.add_argument("--device", default="cpu")
    parse.add_argument("--threads", type=_positive, help="CPU threads (default: torch's)")
    return parse


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text!r}")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Run; returns the exit status."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        return _train(options)
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; continue with --resume", file=sys.stderr)
        return 130


def _train(options: argparse.Namespace) -> int:
    import torch

    from sqcodec.config import load_config
    from sqcodec.train.corpus import Corpus
    from sqcodec.train.device import usable_device
    from sqcodec.train.loop import CHECKPOINT, Trainer
    from sqcodec.train.recipe import Recipe

    if options.threads:
        torch.set_num_threads(options.threads)
    config = load_config(options.config)
    recipe = Recipe().override(options.set)
    if options.max_steps is not None:
        recipe = recipe.override([f"max_steps={options.max_steps}"])
    usable_device(options.device)  # before the audio is decoded, which may take minutes
    _make_folder(options.out)
    if not options.resume and (options.out / CHECKPOINT).exists():
        raise InputError(
            str(options.out),
            expected="a folder without a run",
            found=CHECKPOINT,
            remedy="Continue it with --resume, or choose another --out.",
        )
    corpus = Corpus(options.data, config.sample_rate, options.out / "cache")
    trainer = Trainer(config, recipe, corpus, options.out, options.device)
    if options.resume:
        trainer.resume(options.out / CHECKPOINT)
    elif options.init is not None:
        trainer.start_from(options.init)
    parameters = sum(p.numel() for p in trainer.model.parameters())
    print(
        f"SQCodec {config.name}: {parameters:,} parameters, "
        f"{corpus.hours:.2f} h of audio, {recipe.max_steps} steps, from step {trainer.step}",
        flush=True,
    )
    trainer.run(every=options.every, report=_report)
    return 0


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        found = "a file" if path.is_file() else error.strerror or str(error)
        raise InputError(f"--out {path}", expected="a folder to write to", found=found) from None


def _report(row: dict[str, Any]) -> None:
    validation = " ".join(
        f"{key.removeprefix('val_snr_db_')} {value:.2f}"
        for key, value in row.items()
        if key.startswith("val_snr_db_")
    )
    print(
        f"step {row['step']:6d}  loss {row['loss']:.3f}  SNR {row['snr_db']:.2f} dB  "
        f"validation {validation or 'none'}  codes {row['distinct_codes']:.0%}  "
        f"{row['audio_s_per_s']:.2f} s/s",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
