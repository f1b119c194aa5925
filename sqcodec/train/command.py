"""The command line of the trainer: its options, and a run built from them."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sqcodec.errors import InputError
from sqcodec.streams import guarded
from sqcodec.train import listings

if TYPE_CHECKING:
    from sqcodec.config import SQCodecConfig
    from sqcodec.train.loop import Trainer

REDUCED = "reduced"
"""A network for trials of the path, small in everything but its attention window."""
_SIGNAL_EXIT = 128
DESCRIPTION = "Train SQCodec on folders of audio."
EPILOG = """\
Exit status: 0 done, 1 could not run (wrong usage included), 128 + N stopped by signal N after
saving. Several processes: torchrun --nproc-per-node N -m sqcodec.train ...
"""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Exit with 1, the status of all that cannot run (argparse's own is 2)."""
        self.print_usage(sys.stderr)
        self.exit(1, f"error: {message}\n")


def parser() -> argparse.ArgumentParser:
    """The options."""
    parse = Parser(
        prog="python -m sqcodec.train",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parse)
    return parse


def add_options(parse: argparse.ArgumentParser) -> None:
    """Add the options to a parser."""
    parse.add_argument(
        "--config", default="6k", metavar="NAME",
        help="one of the seven settings (default: 6k), reduced, or a TOML file with their fields",
    )  # fmt: skip
    parse.add_argument(
        "--data", type=path, nargs="+", required=True, metavar="PLACE",
        help="folders of audio, or manifests (CSV, JSONL)",
    )  # fmt: skip
    parse.add_argument("--out", type=path, required=True, help="folder for logs and weights")
    parse.add_argument(
        "--recipe", action="append", default=[], metavar="NAME",
        help="a name of --list-recipes (default: published), or a TOML file; may be repeated, "
        "later ones win",
    )  # fmt: skip
    parse.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE",
        help="override the recipe; --list-keys has the keys",
    )  # fmt: skip
    parse.add_argument(
        "--max-steps", type=_positive, metavar="N",
        help="optimiser steps in all (default: the recipe's)",
    )  # fmt: skip
    parse.add_argument(
        "--every", type=_positive, default=100, metavar="N",
        help="steps between checkpoints (default: 100)",
    )  # fmt: skip
    parse.add_argument(
        "--save-minutes", type=_natural, default=0, metavar="MINUTES",
        help="write a checkpoint after so long even if none is due by --every (default: 0, never)",
    )  # fmt: skip
    parse.add_argument(
        "--evaluate-every", type=_natural, default=1000, metavar="N",
        help="steps between runs of sqbench's metrics, the last step has one too; 0: never "
        "(default: 1000)",
    )  # fmt: skip
    parse.add_argument(
        "--keep", type=_positive, default=2, metavar="N",
        help="checkpoints that stay beside the best (default: 2)",
    )  # fmt: skip
    start = parse.add_mutually_exclusive_group()
    start.add_argument("--resume", action="store_true", help="continue the run in --out")
    start.add_argument("--init", metavar="WEIGHTS", help="start from official, bundled or a path")
    parse.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ... (default: cpu)")
    parse.add_argument(
        "--threads", type=_positive, metavar="N", help="CPU threads (default: torch's)"
    )
    parse.add_argument("--compile", action="store_true", help="run through torch.compile")
    parse.add_argument(
        "--dry-run", action="store_true", help="print the resolved run and its cost, and stop"
    )
    listings.add(parse)
    parse.set_defaults(cache=None)  # of decoded audio; runs over the same audio may share one


def path(text: str) -> Path:
    """A path. None at all, which a shell makes of an unset variable, is not the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("expected a path, found nothing")
    return Path(text)


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, found {text!r}")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text!r}")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Run; returns the exit status."""
    return guarded("error", lambda: run(parser().parse_args(arguments)))


def run(options: argparse.Namespace) -> int:
    """Run what `parser` understood; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        return _train(options)
    except BrokenPipeError:
        raise
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped at once; continue from the last checkpoint with --resume", file=sys.stderr)
        return 130


def _train(options: argparse.Namespace) -> int:
    import torch

    from sqcodec.train.device import usable_device
    from sqcodec.train.distributed import join, leave

    if options.threads:
        torch.set_num_threads(options.threads)
    torch.set_float32_matmul_precision("high")  # TF32 where a GPU has it
    local = os.environ.get("LOCAL_RANK")
    name = f"cuda:{local}" if options.device == "cuda" and local else options.device
    device = usable_device(name)  # before the audio is decoded, which may take minutes
    world = join(device)
    if not world.leads:
        logging.disable(logging.WARNING)
    try:
        if not options.dry_run:
            return _run(options, _build(options, device, world))
        with tempfile.TemporaryDirectory(prefix="sqcodec-dry-run-") as folder:
            options.cache = Path(folder)
            _show_cache(options.out / "cache", options.cache)
            _describe(_build(options, device, world))
        return 0
    finally:
        leave()


def network_config(name: str) -> SQCodecConfig:
    """The config that ``--config`` names.

    Raises:
        InputError: an unknown name, or a file that is no config.
    """
    from sqcodec.config import load_config, read_config

    if name == REDUCED:
        return read_config(Path(__file__).with_name(f"{REDUCED}.toml"))
    return read_config(Path(name)) if name.endswith(".toml") else load_config(name)


def _build(options: argparse.Namespace, device: object, world: object) -> Trainer:
    import torch

    from sqcodec.train.cadence import Cadence
    from sqcodec.train.checkpoints import Checkpoints
    from sqcodec.train.data.corpus import Corpus
    from sqcodec.train.data.shards import shards_in
    from sqcodec.train.data.stream import StreamCorpus
    from sqcodec.train.distributed import World
    from sqcodec.train.estimate import one_pass
    from sqcodec.train.loop import Trainer
    from sqcodec.train.losses.perceptual import WhisperPerceptual
    from sqcodec.train.precision import warn_if_emulated
    from sqcodec.train.recipes.recipe import load_recipe
    from sqcodec.train.resuming import load_init

    assert isinstance(device, torch.device)
    assert isinstance(world, World)
    config = network_config(options.config)
    recipe = load_recipe(options.recipe or ["published"], config.name).override(options.set)
    if options.max_steps is not None:
        recipe = recipe.override([f"max_steps={options.max_steps}"])
    if not options.dry_run:
        _make_folder(options.out)
    elif options.out.exists() and not options.out.is_dir():
        raise InputError(f"--out {options.out}", expected="a folder to write to", found="a file")
    if not options.resume and (steps := Checkpoints(options.out).steps()):
        raise InputError(
            str(options.out),
            expected="a folder without a run",
            found=f"a checkpoint of step {steps[-1]}",
            remedy="Continue it with --resume, or choose another --out.",
        )
    perceptual = None
    if recipe.perceptual.source != "none":
        perceptual = WhisperPerceptual.load(
            recipe.perceptual.source,
            sample_rate=config.sample_rate,
            device=device,
            context=recipe.perceptual.context,
            silence=recipe.perceptual.silence,
            noise=recipe.perceptual.noise,
        )
    # One process of a machine decodes; the others find its cache. A dry run's are not shared.
    if world.local_rank and not options.dry_run:
        world.barrier()
    kind = StreamCorpus if all(shards_in(place) for place in options.data) else Corpus
    corpus = kind(options.data, config.sample_rate, options.cache or options.out / "cache")
    if not world.local_rank and not options.dry_run:
        world.barrier()
    trainer = Trainer(
        config,
        recipe,
        corpus,
        options.out,
        device=device,
        world=world,
        cadence=Cadence(
            every=options.every,
            evaluate_every=options.evaluate_every,
            keep=options.keep,
            minutes=options.save_minutes,
        ),
        compiled=options.compile,
        perceptual=perceptual,
    )
    warn_if_emulated(recipe.precision, trainer.device, partial(one_pass, trainer))
    if options.resume:
        trainer.resume()
    elif options.init is not None:
        trainer.start_from(*load_init(options.init, trainer.config))
    return trainer


def _run(options: argparse.Namespace, trainer: Trainer) -> int:
    from sqcodec.train.monitor import Silent
    from sqcodec.train.progress import Terminal

    if not trainer.world.leads:
        stopped = trainer.run(Silent())
    else:
        parameters = sum(p.numel() for p in trainer.state.model.parameters())
        print(
            f"SQCodec {trainer.config.name}: {parameters:,} parameters, "
            f"{trainer.corpus.hours:.2f} h of audio in {', '.join(trainer.corpus.domains)}, "
            f"{trainer.recipe.max_steps} steps, from step {trainer.state.step}",
            flush=True,
        )
        with Terminal(trainer.recipe.max_steps, trainer.state.step) as terminal:
            stopped = trainer.run(terminal)
        if stopped:
            at = f"stopped at step {trainer.state.step}"
            print(f"{at}, saved; continue with --resume", flush=True)
    return _SIGNAL_EXIT + stopped if stopped else 0


def _describe(trainer: Trainer) -> None:
    """Print the resolved run and its cost."""
    from sqcodec.train.estimate import estimate
    from sqcodec.train.precision import resolve

    cost = estimate(trainer)
    content = {
        "config": asdict(trainer.config),
        "recipe": asdict(trainer.recipe),
        "data": trainer.corpus.describe(),
    }
    if not trainer.world.leads:
        return
    print(json.dumps(content, indent=1))
    steps = trainer.recipe.max_steps - trainer.state.step
    print(f"codec: {cost.codec_parameters:,} parameters")
    print(f"discriminator: {cost.adversary_parameters:,} parameters")
    print(f"memory: about {cost.memory_bytes / 2**30:.1f} GiB on {trainer.device}")
    low, high = cost.step_range_s
    print(f"precision: {resolve(trainer.recipe.precision, trainer.device)} on {trainer.device}")
    print(
        f"time: about {cost.step_s:.2f} s a step ({low:.2f} to {high:.2f} s by {cost.passes} "
        f"passes) of {cost.audio_s:.1f} s of audio, "
        f"{steps * low / 3600:.1f} to {steps * high / 3600:.1f} h for {steps} steps"
    )


def _show_cache(cache: Path, folder: Path) -> None:
    """Let a dry run read what is decoded; what it decodes itself goes when it ends."""
    for path in cache.glob("*"):
        (folder / path.name).symlink_to(path.resolve())


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        found = "a file" if path.is_file() else error.strerror or str(error)
        raise InputError(f"--out {path}", expected="a folder to write to", found=found) from None
