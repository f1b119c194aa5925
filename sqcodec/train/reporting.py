"""A report of a run: measure, checkpoint, and export what is best so far."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sqcodec.checkpoint import tensors_sha256
from sqcodec.train import card as cards
from sqcodec.train import resuming
from sqcodec.train.evaluation import Benchmark, better
from sqcodec.train.logs import Board

if TYPE_CHECKING:
    from sqcodec.train.loop import Trainer

logger = logging.getLogger(__name__)

VALIDATION_FOLDER = "validation"


def report(
    trainer: Trainer, recent: list[dict[str, float]], board: Board | None, stopping: bool
) -> dict[str, Any]:
    """Validate, checkpoint, export if best; all processes take part in what is shared."""
    row: dict[str, Any] = {"step": trainer.step}
    for key in dict.fromkeys(key for values in recent for key in values):
        row[key] = float(np.mean([values[key] for values in recent if key in values]))
    spent = sum(values["step_s"] for values in recent)
    crops = trainer.recipe.batch_size * trainer.recipe.accumulate
    row["audio_s_per_s"] = (
        len(recent) * crops * trainer.length / (trainer.config.sample_rate * spent)
    )
    row |= {
        "seconds": trainer.seconds,
        "skipped": trainer.skipped,
        **trainer.usage.summary(trainer.world),
    }
    best = False
    if trainer.world.leads:
        if stopping:  # whoever stopped the run may not wait until it is measured
            trainer.snapshots.write(trainer.step, resuming.state(trainer), best)
        values = validate(trainer, board, stopping)
        row |= {f"val_{key}": value for key, value in values.items()}
        chosen = values.get(trainer.recipe.select)
        if not values or (
            chosen is not None
            and math.isfinite(chosen)
            and better(trainer.recipe.select, chosen, trainer.best)
        ):
            trainer.best, best = chosen, True
            cards.export(trainer.evaluated, trainer.card(values), trainer.out)
        trainer.snapshots.write(trainer.step, resuming.state(trainer), best)
    trainer.best = trainer.world.gather(trainer.best)[0]
    return row


def validate(trainer: Trainer, board: Board | None, stopping: bool) -> dict[str, float]:
    """What is measured of the weights as they are."""
    assert trainer.crops is not None
    values = trainer.crops.measure(trainer.evaluated)
    if board:
        for domain, crops in trainer.crops.batches.items():
            with torch.no_grad():
                decoded = trainer.evaluated(crops[:1])[0]
            first = trainer.step <= trainer.cadence.every
            board.pair(domain, crops[0], decoded, 0 if first else trainer.step)
    every, last = trainer.cadence.evaluate_every, trainer.step == trainer.recipe.max_steps
    if values and every and not stopping and (last or trainer.step % every == 0):
        try:
            label = f"sqcodec-{trainer.config.name}"
            benchmark = Benchmark(
                trainer.corpus, trainer.held_out, trainer.out / VALIDATION_FOLDER, label
            )
        except ImportError as error:
            logger.warning("no benchmark metrics: %s", error)
            return values
        name = f"step-{trainer.step}"
        values |= benchmark.measure(trainer.evaluated, name, tensors_sha256(trainer.evaluated))
    return values
