"""A report of a run: what the losses were, what is measured, checkpoint and export of the best."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sqcodec.checkpoint import tensors_sha256
from sqcodec.train import card as cards
from sqcodec.train.cadence import Cadence
from sqcodec.train.checkpoints import Checkpoints
from sqcodec.train.data.corpus import Corpus
from sqcodec.train.distributed import World
from sqcodec.train.evaluation import Benchmark, Crops, better, heard
from sqcodec.train.logs import Board
from sqcodec.train.recipes.recipe import Recipe
from sqcodec.train.state import TrainState
from sqcodec.train.usage import CodeUsage

logger = logging.getLogger(__name__)

VALIDATION_FOLDER = "validation"


def average_losses(recent: Sequence[dict[str, float]]) -> dict[str, float]:
    """Means of what the steps since the last report logged."""
    keys = dict.fromkeys(key for values in recent for key in values)
    return {key: float(np.mean([v[key] for v in recent if key in v])) for key in keys}


@dataclass(frozen=True, kw_only=True)
class Validator:
    """Measures, checkpoints and exports a run's state.

    Attributes:
        crops: held-out ones, by domain.
        held_out: clips for sqbench's metrics.
        card: makes the training card from what was measured.
    """

    recipe: Recipe
    corpus: Corpus
    held_out: Any
    crops: Crops
    cadence: Cadence
    checkpoints: Checkpoints
    usage: CodeUsage
    world: World
    out: Path
    card: Callable[[dict[str, float]], dict[str, Any]]

    def report(
        self,
        state: TrainState,
        recent: Sequence[dict[str, float]],
        crop_s: float,
        board: Board | None,
        stopping: bool,
    ) -> dict[str, Any]:
        """Validate, checkpoint, export if best; all processes take part in what is shared."""
        row: dict[str, Any] = {"step": state.step, **average_losses(recent)}
        spent = sum(values["step_s"] for values in recent)
        crops = self.recipe.batch_size * self.recipe.accumulate
        row["audio_s_per_s"] = len(recent) * crops * crop_s / spent
        row |= {
            "seconds": state.seconds,
            "skipped": state.skipped,
            **self.usage.summary(self.world),
        }
        best = False
        if self.world.leads:
            if stopping:  # whoever stopped the run may not wait until it is measured
                self.checkpoints.write(state.step, state.state_dict(), best)
            values = self.validate(state, board, stopping)
            row |= {f"val_{key}": value for key, value in values.items()}
            chosen = values.get(self.recipe.select)
            if not values or (
                chosen is not None
                and math.isfinite(chosen)
                and better(self.recipe.select, chosen, state.best)
            ):
                state.best, best = chosen, True
                cards.export(state.evaluated, self.card(values), self.out)
            self.checkpoints.write(state.step, state.state_dict(), best)
        state.best = self.world.gather(state.best)[0]
        return row

    def validate(self, state: TrainState, board: Board | None, stopping: bool) -> dict[str, float]:
        """What is measured of the weights as they are."""
        values = self.crops.measure(state.evaluated)
        if board:
            first = state.step <= self.cadence.every
            device = next(state.evaluated.parameters()).device
            for domain, clip in heard(self.corpus, self.held_out).items():
                with torch.no_grad():
                    decoded = state.evaluated(clip[None].to(device))[0]
                board.pair(domain, clip, decoded, 0 if first else state.step)
        every, last = self.cadence.evaluate_every, state.step == self.recipe.max_steps
        if values and every and not stopping and (last or state.step % every == 0):
            try:
                label = f"sqcodec-{state.config.name}"
                benchmark = Benchmark(
                    self.corpus, self.held_out, self.out / VALIDATION_FOLDER, label
                )
            except ImportError as error:
                logger.warning("no benchmark metrics: %s", error)
                return values
            name = f"step-{state.step}"
            values |= benchmark.measure(state.evaluated, name, tensors_sha256(state.evaluated))
        return values
