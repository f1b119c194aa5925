"""The training loop: steps, reports, checkpoints that resume exactly, export."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from sqcodec.checkpoint import load_checkpoint, tensors_sha256
from sqcodec.config import SQCodecConfig
from sqcodec.errors import InputError
from sqcodec.model import SQCodecModel
from sqcodec.train import card as cards
from sqcodec.train.corpus import Corpus
from sqcodec.train.crops import Loader, Prefetcher
from sqcodec.train.distributed import World
from sqcodec.train.evaluation import Benchmark, Crops, better
from sqcodec.train.logs import Board, Log
from sqcodec.train.losses.perceptual import WhisperPerceptual
from sqcodec.train.networks import Average, adversary_learner, codec_learner
from sqcodec.train.objective import Objective
from sqcodec.train.recipe import Recipe
from sqcodec.train.record import open_stage, write_json
from sqcodec.train.sampler import Sampler
from sqcodec.train.signals import Stop
from sqcodec.train.snapshots import Snapshots, read_state
from sqcodec.train.step import Stepper
from sqcodec.train.usage import CodeUsage

logger = logging.getLogger(__name__)

COUNTERS = ("step", "seconds", "audio_seconds", "skipped", "skipped_in_a_row", "best", "stages",
            "init")  # fmt: skip
"""What a checkpoint holds beside tensors; `Trainer`'s attributes of these names."""
VALIDATED_BY = ("data.files_sha256", "recipe.seed", "recipe.windows", "recipe.seconds",
                "recipe.select")  # fmt: skip
"""Where a stage differs, an earlier best step cannot be compared."""
RECIPE_FILE = "recipe.json"
VALIDATION_FOLDER = "validation"


@dataclass(frozen=True, kw_only=True)
class Cadence:
    """How often things happen.

    Attributes:
        every: steps between reports, each with validation, checkpoint and export of the best.
        evaluate_every: steps between runs of sqbench's metrics; the last step has one too.
            0 for never.
        keep: checkpoints that stay beside the best.
    """

    every: int = 100
    evaluate_every: int = 1000
    keep: int = 2


class Monitor(Protocol):
    """Who watches a run."""

    def step(self, row: dict[str, Any]) -> None:
        """A step was taken."""

    def report(self, row: dict[str, Any]) -> None:
        """A report is due."""


class Silent:
    """Nobody watches."""

    def step(self, row: dict[str, Any]) -> None:
        pass

    def report(self, row: dict[str, Any]) -> None:
        pass


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
        assert (perceptual is None) == (recipe.perceptual == "none")
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
        self.codec = codec_learner(self.config, recipe, self.device, self.world, compiled)
        self.adversary = adversary_learner(self.config, recipe, self.device, self.world)
        self.average = Average(self.model, recipe.ema) if recipe.ema else None
        self.perceptual = perceptual
        self.usage = CodeUsage(self.config.codebook_size, self.device)
        self.stepper = Stepper(
            self.config,
            recipe,
            self.codec,
            self.adversary,
            Objective(recipe.losses, perceptual, self.world).to(self.device),
            self.usage,
            self.world,
            self.device,
        )
        train, self.held_out = corpus.split()
        self.length = recipe.crop_length(self.config)
        self.sampler = Sampler(train, length=self.length, recipe=recipe.data, seed=recipe.seed)
        self.loader = Loader(corpus, self.length, self.device, recipe.data.normalise)
        self.crops: Crops | None = None
        self.snapshots = Snapshots(out, self.cadence.keep)
        self.step = 0
        self.seconds = self.audio_seconds = 0.0
        self.skipped = self.skipped_in_a_row = 0
        self.best: float | None = None
        self.stages = [self._stage()]
        self.init: dict[str, Any] | None = None

    @property
    def model(self) -> SQCodecModel:
        """The network in training."""
        module: Any = self.codec.module
        return module  # type: ignore[no-any-return]

    @property
    def evaluated(self) -> SQCodecModel:
        """The network that is validated and exported: the average where there is one."""
        return self.average.model if self.average else self.model

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
        log = Log(self.out, self.step) if self.world.leads else None
        board = Board(self.out, self.config.sample_rate) if self.world.leads else None
        batches = Prefetcher(self._batch, self.step * self.recipe.accumulate)
        recent: list[dict[str, float]] = []
        since = time.monotonic()
        try:
            with Stop() as stop:
                while self.step < self.recipe.max_steps:
                    started, waited = time.monotonic(), batches.waited_s
                    row = self.train_step([next(batches) for _ in range(self.recipe.accumulate)])
                    row["step_s"] = time.monotonic() - started
                    row["loader_share"] = (batches.waited_s - waited) / row["step_s"]
                    recent.append(row)
                    if log and board:
                        log.write("step", {"step": self.step, **row})
                        board.scalars({"step": self.step, **row})
                        monitor.step({"step": self.step, **row})
                    stopping = self.world.any(bool(stop.signal), self.device)
                    last = self.step == self.recipe.max_steps
                    if self.step % self.cadence.every == 0 or last or stopping:
                        self.seconds += time.monotonic() - since
                        report = self._report(recent, board, stopping)
                        if log and board:
                            log.write("report", report)
                            board.scalars(report)
                            monitor.report(report)
                        recent, since = [], time.monotonic()
                    if stopping:
                        return stop.signal
        finally:
            batches.close()
            if board:
                board.close()
        if self.world.leads:
            adversary = self.adversary.module if self.adversary else None
            cards.export_rest(self.evaluated, adversary, self.out)
        return 0

    def train_step(self, batches: Sequence[Tensor] | None = None) -> dict[str, float]:
        """One optimiser step; a non-finite one is skipped and counted.

        Args:
            batches: this process's share of each pass; drawn here if ``None``.

        Raises:
            InputError: too many skipped steps in a row.
        """
        passes = self.recipe.accumulate
        if batches is None:
            batches = [self._batch(self.step * passes + i) for i in range(passes)]
        outcome = self.stepper.step(self.step, batches)
        self.step += 1
        if outcome.finite:
            self.skipped_in_a_row = 0
            samples = self.recipe.batch_size * passes * self.length
            self.audio_seconds += samples / self.config.sample_rate
            if self.average is not None:
                self.average.update(self.model, self.step)
        else:
            self.skipped += 1
            self.skipped_in_a_row += 1
            logger.warning("step %d: loss or gradient not finite, skipped", self.step)
            if self.skipped_in_a_row >= self.recipe.max_skipped:
                steps = self.snapshots.steps()
                raise InputError(
                    f"training in {self.out}",
                    expected="finite losses",
                    found=f"{self.skipped_in_a_row} non-finite steps in a row",
                    remedy=(f"The checkpoint of step {steps[-1]} is intact: --resume" if steps else
                            "Start again") + " with a lower --set optimizer.lr=.",
                )  # fmt: skip
        return outcome.values

    def _batch(self, index: int) -> Tensor:
        crops = self.sampler.batch(index, self.recipe.batch_size)
        return self.loader.load(self.world.share(crops))

    def _report(
        self, recent: list[dict[str, float]], board: Board | None, stopping: bool
    ) -> dict[str, Any]:
        """Validate, checkpoint, export if best; all processes take part in what is shared."""
        row: dict[str, Any] = {"step": self.step}
        for key in dict.fromkeys(key for values in recent for key in values):
            row[key] = float(np.mean([values[key] for values in recent if key in values]))
        spent = sum(values["step_s"] for values in recent)
        crops = self.recipe.batch_size * self.recipe.accumulate
        row["audio_s_per_s"] = len(recent) * crops * self.length / (self.config.sample_rate * spent)
        row |= {"seconds": self.seconds, "skipped": self.skipped, **self.usage.summary(self.world)}
        rng = self.world.gather(torch.get_rng_state())
        best = False
        if self.world.leads:
            values = self._validate(board, stopping)
            row |= {f"val_{key}": value for key, value in values.items()}
            chosen = values.get(self.recipe.select)
            if not values or (
                chosen is not None
                and math.isfinite(chosen)
                and better(self.recipe.select, chosen, self.best)
            ):
                self.best, best = chosen, True
                cards.export(self.evaluated, self.card(values), self.out)
            self.snapshots.write(self.step, self.state(rng), best)
        self.best = self.world.gather(self.best)[0]
        return row

    def _validate(self, board: Board | None, stopping: bool) -> dict[str, float]:
        assert self.crops is not None
        values = self.crops.measure(self.evaluated)
        if board:
            for domain, crops in self.crops.batches.items():
                with torch.no_grad():
                    decoded = self.evaluated(crops[:1])[0]
                first = self.step <= self.cadence.every
                board.pair(domain, crops[0], decoded, 0 if first else self.step)
        every, last = self.cadence.evaluate_every, self.step == self.recipe.max_steps
        if values and every and not stopping and (last or self.step % every == 0):
            try:
                label = f"sqcodec-{self.config.name}"
                benchmark = Benchmark(
                    self.corpus, self.held_out, self.out / VALIDATION_FOLDER, label
                )
            except ImportError as error:
                logger.warning("no benchmark metrics: %s", error)
                return values
            name = f"step-{self.step}"
            values |= benchmark.measure(self.evaluated, name, tensors_sha256(self.evaluated))
        return values

    def describe(self) -> dict[str, Any]:
        """The resolved run, all its stages so far included."""
        return {
            **cards.describe(self.config, self.recipe, self.corpus),
            "stages": self.stages,
            "init": self.init,
            "processes": self.world.size,
            "perceptual": self.perceptual.identity if self.perceptual else "none",
        }

    def card(self, values: dict[str, float]) -> dict[str, Any]:
        """The training card of the weights as they are, with what was measured of them."""
        adversarial = self.adversary is not None and self.step > self.recipe.adversary.start_step
        return {
            **self.describe(),
            "step": self.step,
            "audio_hours_heard": round(self.audio_seconds / 3600, 2),
            "training_seconds": round(self.seconds),
            "skipped_steps": self.skipped,
            "adversarial": "yes" if adversarial else "none",
            "validation": values or "none",
        }

    def _stage(self) -> dict[str, Any]:
        """What holds from this step on; in JSON's types, since it is compared with a stored one."""
        stage = {
            "from_step": self.step,
            "recipe": asdict(self.recipe),
            "data": self.corpus.describe(),
        }
        return dict(json.loads(json.dumps(stage)))

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
        for target in (self.model, self.average.model if self.average else None):
            if target is not None:
                target.load_state_dict(model.state_dict())
        self.init = origin

    def state(self, rng: list[Tensor] | None = None) -> dict[str, Any]:
        """All that a resume needs."""
        state: dict[str, Any] = {key: getattr(self, key) for key in COUNTERS}
        state["config"] = self.config.name
        state["codec"] = self.codec.state_dict()
        state["adversary"] = self.adversary.state_dict() if self.adversary else None
        state["average"] = self.average.model.state_dict() if self.average else None
        state["rng"] = rng or [torch.get_rng_state()]
        return state

    def resume(self, path: Path | None = None) -> None:
        """Continue from a checkpoint of the same network (the newest, by default).

        A changed recipe or corpus is logged and opens a new stage of the run.

        Raises:
            InputError: missing, unreadable, or of another network.
        """
        path = path or self.snapshots.latest()
        state = read_state(path, {"config", "codec", "adversary", "average", "rng", *COUNTERS})
        if state["config"] != self.config.name:
            raise InputError(
                str(path), expected=f"config {self.config.name}", found=str(state["config"])
            )
        try:
            self.codec.load_state_dict(state["codec"])
            if self.average is not None:
                # A run that had none so far starts its average where it stands.
                self.average.model.load_state_dict(state["average"] or state["codec"]["module"])
            if self.adversary is not None and state["adversary"] is not None:
                self.adversary.load_state_dict(state["adversary"])
        except (RuntimeError, ValueError, KeyError) as error:
            expected = f"the tensors of {self.config.name}"
            raise InputError(str(path), expected=expected, found=str(error)) from error
        # Draws do not depend on it, but what users add to the network may.
        torch.set_rng_state(state["rng"][min(self.world.rank, len(state["rng"]) - 1)])
        for key in COUNTERS:
            setattr(self, key, state[key])
        self.stages, lines = open_stage(self.stages, self._stage())
        for line in lines:
            logger.info("from step %d: %s", self.step, line)
        if self.best is not None and any(line.startswith(VALIDATED_BY) for line in lines):
            logger.info("validation is not the same as before: the best so far does not count")
            self.best = None


def load_init(source: str, config: SQCodecConfig) -> tuple[SQCodecModel, dict[str, Any]]:
    """Weights to start from, and what the card says of them.

    Args:
        source: ``official``, ``bundled``, or a path (see `sqcodec.weights.load_weights`).
        config: of the network in training.

    Raises:
        InputError: there are none, or they are of another network.
    """
    from sqcodec.weights import load_weights

    path = Path(source)
    if source not in ("official", "bundled") and (path.is_file() or (path / "model.json").exists()):
        model, card = load_checkpoint(path, config)
        return model, {
            "file": path.resolve().name, "sha256": tensors_sha256(model), "card": card
        }  # fmt: skip
    model, info = load_weights(config.name, source if source in ("official", "bundled") else path)
    return model, {"source": info.source, "detail": Path(info.detail).name, "sha256": info.sha256}
