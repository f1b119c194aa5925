"""The training loop: steps, validation, checkpoints that resume exactly, export."""

from __future__ import annotations

import copy
import json
import logging
import math
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sqcodec.checkpoint import load_checkpoint, save_checkpoint, tensors_sha256
from sqcodec.config import SQCodecConfig
from sqcodec.errors import InputError
from sqcodec.model import SQCodecModel
from sqcodec.train.corpus import Corpus, Sampler
from sqcodec.train.device import usable_device
from sqcodec.train.losses import MultiScaleSTFT, snr_db
from sqcodec.train.recipe import Recipe
from sqcodec.train.record import finite, open_stage, read_state, write_json, write_state

logger = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.pt"
VALIDATION_CROPS = 24
MAX_SKIPPED = 20
COUNTERS = ("step", "seconds", "audio_seconds", "skipped", "best", "stages", "init")
"""What a checkpoint holds beside tensors; `Trainer`'s attributes of these names."""
VALIDATED_BY = ("data.files_sha256", "recipe.seed", "recipe.windows")
"""Where a stage differs, the validation crops differ."""


class Trainer:
    """One run in one folder.

    Args:
        config: the network.
        recipe: the numbers.
        corpus: the audio.
        out: folder for the log, the checkpoint and the exported weights.
        device: torch device.

    Raises:
        InputError: the device cannot be used, or the recipe does not fit the corpus.
    """

    def __init__(
        self, config: SQCodecConfig, recipe: Recipe, corpus: Corpus, out: Path, device: str = "cpu"
    ) -> None:
        self.config, self.recipe, self.corpus, self.out = config, recipe, corpus, out
        self.device = usable_device(device)
        torch.manual_seed(recipe.seed)
        self.model = SQCodecModel(config).to(self.device)
        self.average = copy.deepcopy(self.model).eval() if recipe.ema else None
        self.stft = MultiScaleSTFT().to(self.device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=recipe.lr, betas=recipe.betas, weight_decay=0.0
        )
        train, held_out = corpus.split()
        length = recipe.windows * config.pad_multiple
        self.sampler = Sampler(
            corpus,
            train,
            length=length,
            weights=recipe.domains,
            seed=recipe.seed,
            gain_db=recipe.gain_db,
            mix_probability=recipe.mix_probability,
            normalise=recipe.normalise,
        )
        self.validation = {
            domain: Sampler(
                corpus,
                [clip for clip in held_out if clip.domain == domain],
                length=length,
                weights={},
                seed=recipe.seed,
                gain_db=-6.0,
                mix_probability=0.0,
                normalise=True,
            ).batch(0, VALIDATION_CROPS)
            for domain in sorted({clip.domain for clip in held_out})
        }
        self.step = 0
        self.seconds = self.audio_seconds = 0.0
        self.skipped = 0
        self.best = -math.inf
        self.stages = [self._stage()]
        self.init: dict[str, Any] | None = None

    def run(self, *, every: int = 100, report: Callable[[dict[str, Any]], None]) -> None:
        """Train to ``recipe.max_steps``; every ``every`` steps validate, save and export.

        Exported is the step of the best validation so far; the latest where nothing is held out.

        Raises:
            InputError: the loss stayed non-finite; the last checkpoint is intact.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        write_json(self.out / "recipe.json", self.describe())
        if not self.validation:
            logger.warning(
                "no domain has two groups of clips, so none is held out: there is no validation, "
                "and every report exports the latest weights"
            )
        started, since = time.monotonic(), self.step
        recent: list[dict[str, float]] = []
        while self.step < self.recipe.max_steps:
            recent.append(self.train_step())
            if self.step % every == 0 or self.step == self.recipe.max_steps:
                elapsed = time.monotonic() - started
                self.seconds += elapsed
                row: dict[str, Any] = {"step": self.step, "lr": self.recipe.lr_at(self.step)}
                for key in recent[0]:
                    row[key] = float(np.mean([values[key] for values in recent]))
                row["audio_s_per_s"] = (
                    (self.step - since) * self.recipe.batch_size * self.sampler.length
                ) / (self.config.sample_rate * elapsed)
                row["seconds"] = self.seconds
                row["skipped"] = self.skipped
                row |= self.validate()
                with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
                    log.write(json.dumps(finite(row), allow_nan=False) + "\n")
                if not self.validation or row["val_snr_db"] > self.best:
                    self.best = row["val_snr_db"] if self.validation else -math.inf
                    self.export(self.out / "model.safetensors", row)
                self.save(self.out / CHECKPOINT)
                report(row)
                recent, started, since = [], time.monotonic(), self.step

    def train_step(self) -> dict[str, float]:
        """One optimiser step; a non-finite one is skipped and counted."""
        recipe = self.recipe
        self.model.train()
        self.model.quantizer.set_mode("bypass" if self.step < recipe.bypass_steps else "fsq")
        audio = torch.from_numpy(self.sampler.batch(self.step, recipe.batch_size)).to(self.device)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.lr_at(self.step)
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.bf16):
            stages = self.model.stages(audio)
        estimate = stages.audio.float()
        l1, stft = self.losses(estimate, audio)
        loss = recipe.l1_weight * l1 + recipe.stft_weight * stft
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip_norm)
        self.step += 1
        if bool(torch.isfinite(norm)) and bool(torch.isfinite(loss)):
            self.optimizer.step()
            self.skipped = 0
            self.audio_seconds += audio.numel() / self.config.sample_rate
            self._update_average()
        else:
            self.skipped += 1
            logger.warning("step %d: loss or gradient not finite, skipped", self.step)
            if self.skipped >= MAX_SKIPPED:
                raise InputError(
                    f"training in {self.out}",
                    expected="finite losses",
                    found=f"{MAX_SKIPPED} non-finite steps in a row",
                    remedy=f"The last checkpoint ({CHECKPOINT}) is intact; lower --set lr=.",
                )
        return {
            "loss": float(loss.detach()),
            "l1": float(l1.detach()),
            "stft": float(stft.detach()),
            "grad_norm": float(norm),
            "snr_db": float(snr_db(estimate.detach(), audio).mean()),
            "distinct_codes": len(set(stages.codes.flatten().tolist())) / stages.codes.numel(),
        }

    def losses(self, estimate: Tensor, audio: Tensor) -> tuple[Tensor, Tensor]:
        """L1 and multi-scale STFT distance."""
        return (estimate - audio).abs().mean(), self.stft(estimate, audio)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """SNR on fixed crops of clips that are never trained on, by domain and their mean."""
        model = self.average or self.model
        model.eval()
        row: dict[str, float] = {}
        for domain, crops in self.validation.items():
            values = []
            for start in range(0, len(crops), 4):
                audio = torch.from_numpy(crops[start : start + 4]).to(self.device)
                values.append(snr_db(model(audio), audio))
            row[f"val_snr_db_{domain}"] = float(torch.cat(values).mean())
        row["val_snr_db"] = float(np.mean(list(row.values()))) if row else math.nan
        return row

    def describe(self) -> dict[str, Any]:
        """The resolved run: config, recipe, data, all its stages so far, versions."""
        return {
            "config": asdict(self.config),
            "recipe": asdict(self.recipe),
            "data": {**self.corpus.describe(), "skipped": self.corpus.skipped},
            "stages": self.stages,
            "init": self.init,
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
        }

    def _stage(self) -> dict[str, Any]:
        """What holds from this step on; in JSON's types, since it is compared with a stored one."""
        stage = {
            "from_step": self.step,
            "recipe": asdict(self.recipe),
            "data": self.corpus.describe(),
        }
        return dict(json.loads(json.dumps(stage)))

    def start_from(self, path: Path) -> None:
        """Take the exported weights of another run (``init`` of the card).

        Raises:
            InputError: as `sqcodec.checkpoint.load_checkpoint`.
        """
        model, card = load_checkpoint(path, self.config)
        for target in (self.model, self.average):
            if target is not None:
                target.load_state_dict(model.state_dict())
        self.init = {"file": path.resolve().name, "sha256": tensors_sha256(model), "card": card}

    def save(self, path: Path) -> None:
        """Write the checkpoint in one step."""
        state = {key: getattr(self, key) for key in COUNTERS}
        state["config"] = self.config.name
        state["model"] = self.model.state_dict()
        state["average"] = self.average.state_dict() if self.average else None
        state["optimizer"] = self.optimizer.state_dict()
        state["rng"] = torch.get_rng_state()
        write_state(path, state)

    def resume(self, path: Path) -> None:
        """Continue from a checkpoint of the same config.

        A changed recipe or corpus is logged and opens a new stage of the run.

        Raises:
            InputError: missing, unreadable, or of another config.
        """
        tensors = {"config", "model", "average", "optimizer", "rng"}
        state = read_state(path, tensors | set(COUNTERS))
        if state["config"] != self.config.name:
            raise InputError(
                str(path), expected=f"config {self.config.name}", found=str(state["config"])
            )
        try:
            self.model.load_state_dict(state["model"])
            if self.average is not None:
                self.average.load_state_dict(state["average"] or state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            expected = f"the tensors of {self.config.name}"
            raise InputError(str(path), expected=expected, found=str(error)) from error
        for group in self.optimizer.param_groups:
            group["betas"] = self.recipe.betas
        torch.set_rng_state(state["rng"])
        for key in COUNTERS:
            setattr(self, key, state[key])
        self._open_stage()

    def _open_stage(self) -> None:
        self.stages, lines = open_stage(self.stages, self._stage())
        for line in lines:
            logger.info("from step %d: %s", self.step, line)
        if any(line.startswith(VALIDATED_BY) for line in lines) and math.isfinite(self.best):
            logger.info("validation is on other crops: the best SNR so far does not count")
            self.best = -math.inf

    def export(self, path: Path, measured: dict[str, Any]) -> None:
        """Write the weights (fp16 safetensors) with their training card beside them."""
        measures = {k: v for k, v in measured.items() if k.startswith("val_")}
        card = {
            **self.describe(),
            "step": self.step,
            "audio_hours_heard": round(self.audio_seconds / 3600, 2),
            "training_seconds": round(self.seconds),
            "perceptual": "none",
            "adversarial": "none",
            "validation": measures if self.validation else "none",
        }
        save_checkpoint(self.average or self.model, path, finite(card), half=True)
        write_json(path.with_suffix(".json"), card)

    def _update_average(self) -> None:
        if self.average is None:
            return
        # A young average would be mostly the random start.
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(value, 1.0 - decay)
