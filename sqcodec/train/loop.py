"""The training loop: steps, reports, checkpoints that resume exactly, export."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sqcodec.config import SQCodecConfig
from sqcodec.errors import InputError
from sqcodec.model import SQCodecModel
from sqcodec.train import card as cards
from sqcodec.train import precision, resuming
from sqcodec.train.cadence import Cadence
from sqcodec.train.checkpoints import Checkpoints
from sqcodec.train.data.corpus import Corpus
from sqcodec.train.data.crops import Loader, Prefetcher
from sqcodec.train.data.sampler import Sampler
from sqcodec.train.distributed import World
from sqcodec.train.evaluation import Crops
from sqcodec.train.logs import Board, Log
from sqcodec.train.losses.perceptual import WhisperPerceptual
from sqcodec.train.monitor import Monitor, Silent
from sqcodec.train.networks import Average, adversary_learner, codec_learner
from sqcodec.train.objective import Objective
from sqcodec.train.recipes.recipe import Recipe, keys
from sqcodec.train.record import write_json
from sqcodec.train.signals import Stop
from sqcodec.train.state import TrainState
from sqcodec.train.step import Stepper
from sqcodec.train.usage import CodeUsage
from sqcodec.train.validate import Validator

logger = logging.getLogger(__name__)

RECIPE_FILE = "recipe.json"


class Trainer:
    """One run in one folder.

    Args:
        config: the network as published; the recipe may change it.
        recipe: the numbers.
        corpus: the audio.
        out: folder for logs, checkpoints and exported weights.
        device: to train on.
        world: the processes that share the run.
        compiled: run the codec through torch.compile.
        perceptual: the perceptual term; must be there exactly if the recipe names one.

    Raises:
        InputError: the recipe does not fit the corpus or the processes.
    """

    def __init__(
        self,
        config: SQCodecConfig,
        recipe: Recipe,
        corpus: Corpus,
        out: Path,
        *,
        device: torch.device | str = "cpu",
        world: World | None = None,
        cadence: Cadence | None = None,
        compiled: bool = False,
        perceptual: WhisperPerceptual | None = None,
    ) -> None:
        assert (perceptual is None) == (recipe.perceptual.source == "none")
        self.config, self.recipe = recipe.network(config), recipe
        self.corpus, self.out = corpus, out
        self.device, self.world = torch.device(device), world or World()
        self.cadence = cadence or Cadence()
        if recipe.batch_size % self.world.size:
            raise InputError(
                f"recipe, batch_size {recipe.batch_size}",
                expected=f"a multiple of the {self.world.size} processes that share it",
            )
        torch.manual_seed(recipe.seed)
        self.state = TrainState(
            config=self.config,
            codec=codec_learner(self.config, recipe, self.device, self.world, compiled),
            adversary=adversary_learner(self.config, recipe, self.device, self.world),
        )
        self.state.average = Average(self.state.model, recipe.ema) if recipe.ema else None
        self.perceptual = perceptual
        self.usage = CodeUsage(self.config.codebook_size, self.device)
        self.stepper = Stepper(
            self.config,
            recipe,
            self.state.codec,
            self.state.adversary,
            Objective(
                recipe.losses, perceptual, self.world, sample_rate=self.config.sample_rate
            ).to(self.device),
            self.usage,
            self.world,
            self.device,
        )
        train, self.held_out = corpus.split()
        self.length = recipe.crop_length(self.config)
        self.sampler = Sampler(train, length=self.length, recipe=recipe.data, seed=recipe.seed)
        self.loader = Loader(corpus, self.length, self.device, recipe.data.normalise)
        self.crops: Crops | None = None
        self.checkpoints = Checkpoints(out, self.cadence.keep)
        self.state.stages = [self.stage()]

    def run(self, monitor: Monitor | None = None) -> int:
        """Train to ``recipe.max_steps``.

        Exported is the best step so far by ``recipe.select``; the latest where nothing is held out.

        Returns:
            The number of the signal that stopped the run, 0 if it is complete.

        Raises:
            InputError: the loss stayed non-finite, or a file cannot be written; the last
                checkpoint is intact.
        """
        monitor = monitor or Silent()
        if self.world.leads:
            self.out.mkdir(parents=True, exist_ok=True)
            write_json(self.out / RECIPE_FILE, self.describe())
        self.crops = self.crops or Crops(
            self.corpus, self.held_out, self.length, self.recipe.seed, self.device
        )
        if not self.crops.batches:
            logger.warning(
                "no domain has two groups of clips, so none is held out: there is no validation, "
                "and every report exports the latest weights"
            )
        validator = self._validator(self.crops)
        crop_s = self.length / self.config.sample_rate
        log = Log(self.out, self.state.step) if self.world.leads else None
        board = Board(self.out, self.config.sample_rate) if self.world.leads else None
        if board:
            board.describe(dict(keys(self.recipe)))
        batches = Prefetcher(self._batch, self.state.step * self.recipe.accumulate)
        recent: list[dict[str, float]] = []
        since = saved = time.monotonic()
        try:
            with Stop() as stop:
                while self.state.step < self.recipe.max_steps:
                    started, waited = time.monotonic(), batches.waited_s
                    row = self.train_step([next(batches) for _ in range(self.recipe.accumulate)])
                    row["step_s"] = time.monotonic() - started
                    row["loader_share"] = (batches.waited_s - waited) / row["step_s"]
                    recent.append(row)
                    if log and board:
                        log.write("step", {"step": self.state.step, **row})
                        board.step({"step": self.state.step, **row})
                        monitor.step({"step": self.state.step, **row})
                    stopping = self.world.any(bool(stop.signal), self.device)
                    last = self.state.step == self.recipe.max_steps
                    if self.state.step % self.cadence.every == 0 or last or stopping:
                        self.state.seconds += time.monotonic() - since
                        report = validator.report(self.state, recent, crop_s, board, stopping)
                        if log and board:
                            log.write("report", report)
                            board.report(report)
                            monitor.report(report)
                        recent, since = [], time.monotonic()
                        saved = since
                    elif self.world.any(self._due(saved), self.device):
                        saved = time.monotonic()
                        self.state.seconds, since = self.state.seconds + saved - since, saved
                        if self.world.leads:
                            self.checkpoints.write(
                                self.state.step, self.state.state_dict(), best=False
                            )
                    if stopping:
                        return stop.signal
        finally:
            batches.close()
            if board:
                board.close()
        if self.world.leads:
            adversary = self.state.adversary.module if self.state.adversary else None
            cards.export_rest(self.state.evaluated, adversary, self.out)
        return 0

    def _validator(self, crops: Crops) -> Validator:
        return Validator(
            recipe=self.recipe,
            corpus=self.corpus,
            held_out=self.held_out,
            crops=crops,
            cadence=self.cadence,
            checkpoints=self.checkpoints,
            usage=self.usage,
            world=self.world,
            out=self.out,
            card=self.card,
        )

    def _due(self, saved: float) -> bool:
        """Whether a checkpoint is, of which the last was written at ``saved`` (monotonic s)."""
        minutes = self.cadence.minutes
        return minutes > 0 and time.monotonic() - saved >= 60.0 * minutes

    def train_step(self, batches: Sequence[Tensor] | None = None) -> dict[str, float]:
        """One optimiser step; a non-finite one is skipped and counted.

        Args:
            batches: this process's share of each pass; drawn here if ``None``.

        Raises:
            InputError: too many skipped steps in a row.
        """
        passes = self.recipe.accumulate
        if batches is None:
            batches = [self._batch(self.state.step * passes + i) for i in range(passes)]
        outcome = self.stepper.step(self.state.step, batches)
        self.state.step += 1
        if outcome.finite:
            self.state.skipped_in_a_row = 0
            samples = self.recipe.batch_size * passes * self.length
            self.state.audio_seconds += samples / self.config.sample_rate
            if self.state.average is not None:
                self.state.average.update(self.state.model, self.state.step)
        else:
            self.state.skipped += 1
            self.state.skipped_in_a_row += 1
            logger.warning("step %d: loss or gradient not finite, skipped", self.state.step)
            if self.state.skipped_in_a_row >= self.recipe.max_skipped:
                steps = self.checkpoints.steps()
                raise InputError(
                    f"training in {self.out}",
                    expected="finite losses",
                    found=f"{self.state.skipped_in_a_row} non-finite steps in a row",
                    remedy=(f"The checkpoint of step {steps[-1]} is intact: --resume" if steps else
                            "Start again") + " with a lower --set optimizer.lr=.",
                )  # fmt: skip
        return outcome.values

    def _batch(self, index: int) -> Tensor:
        crops = self.sampler.batch(index, self.recipe.batch_size)
        return self.loader.load(self.world.share(crops))

    def describe(self) -> dict[str, Any]:
        """The resolved run, all its stages so far included."""
        return {
            **cards.describe(self.config, self.recipe, self.corpus),
            "stages": self.state.stages,
            "init": self.state.init,
            "processes": self.world.size,
            "precision": precision.resolve(self.recipe.precision, self.device),
            "perceptual": self.perceptual.identity if self.perceptual else "none",
        }

    def card(self, values: dict[str, float]) -> dict[str, Any]:
        """The training card of the weights as they are, with what was measured of them."""
        adversarial = (
            self.state.adversary is not None and self.state.step > self.recipe.adversary.start_step
        )
        return {
            **self.describe(),
            "step": self.state.step,
            "audio_hours_heard": round(self.state.audio_seconds / 3600, 2),
            "training_seconds": round(self.state.seconds),
            "skipped_steps": self.state.skipped,
            "adversarial": "yes" if adversarial else "none",
            "validation": values or "none",
        }

    def stage(self) -> dict[str, Any]:
        """What holds from this step on; in JSON's types, since it is compared with a stored one."""
        stage = {
            "from_step": self.state.step,
            "recipe": asdict(self.recipe),
            "data": self.corpus.describe(),
        }
        return dict(json.loads(json.dumps(stage)))

    def resume(self, path: Path | None = None) -> None:
        """Continue from a checkpoint (the newest, by default); see `resuming.restore`."""
        resuming.restore(self.state, path or self.checkpoints.latest(), self.stage)

    def start_from(self, model: SQCodecModel, origin: dict[str, Any]) -> None:
        """Take the weights of another run or of the authors; ``origin`` goes into the card.

        Raises:
            InputError: they are of another network.
        """
        if model.config != self.config:
            raise InputError(
                "--init",
                expected=f"weights of {self.config.name}",
                found=f"weights of {model.config.name}",
            )
        for target in (self.state.model, self.state.average.model if self.state.average else None):
            if target is not None:
                target.load_state_dict(model.state_dict())
        self.state.init = origin
