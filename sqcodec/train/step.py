"""One optimiser step: the discriminator's, every few steps, then the codec's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sqcodec.config import SQCodecConfig
from sqcodec.model.fsq import NOISY_MODES
from sqcodec.quantize.estimators import annealed
from sqcodec.train.distributed import World
from sqcodec.train.losses.adversarial import Outputs, discriminator_loss
from sqcodec.train.networks import Learner, frozen
from sqcodec.train.objective import Objective
from sqcodec.train.recipes.recipe import Recipe
from sqcodec.train.usage import CodeUsage


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a step did.

    Attributes:
        values: losses, norms and learning rates, means over passes and processes.
        finite: whether the codec's step was taken; a non-finite one is not.
    """

    values: dict[str, float]
    finite: bool


class Stepper:
    """Takes steps; all that it changes is in the two learners.

    Args:
        codec, adversary: what is trained.
        objective: the codec's loss.
        usage: counts the codes.
    """

    def __init__(
        self,
        config: SQCodecConfig,
        recipe: Recipe,
        codec: Learner,
        adversary: Learner | None,
        objective: Objective,
        usage: CodeUsage,
        world: World,
        device: torch.device,
    ) -> None:
        self.config, self.recipe, self.objective, self.usage = config, recipe, objective, usage
        self.codec, self.adversary = codec, adversary
        self.world, self.device = world, device

    def step(self, step: int, batches: Sequence[Tensor]) -> Outcome:
        """Step ``step`` (from 0) on this process's share of each pass's batch, ``[B, T]`` each."""
        recipe = self.recipe
        quantizer: Any = self.codec.module.quantizer
        values: dict[str, Tensor | float] = {}
        adversary = self.adversary if step >= recipe.adversary.start_step else None
        if adversary is not None and step % recipe.adversary.every == 0:
            values |= self._adversary_step(adversary, step, batches)
        bypass = step < recipe.quantizer.bypass_steps
        mode = {"ste": "fsq"}.get(recipe.quantizer.estimator, recipe.quantizer.estimator)
        sharpness = annealed(recipe.quantizer.sharpness, step / recipe.max_steps)
        quantizer.set_mode("bypass" if bypass else mode, sharpness)
        values["lr"] = self.codec.schedule(step, recipe, recipe.optimizer.lr)
        self.codec.module.train()
        self.codec.optimizer.zero_grad(set_to_none=True)
        terms: list[dict[str, Tensor]] = []
        for index, audio in enumerate(batches):
            noise = None
            if quantizer.mode in NOISY_MODES:
                noise = self.noise(step * len(batches) + index, len(audio))
            with self.codec.without_sync(index == len(batches) - 1):
                estimate, codes = self.codec.wrapped(audio, noise)
                if adversary is None:
                    loss, found = self.objective(estimate, audio, None)
                else:
                    with frozen(adversary.module) as judge:
                        loss, found = self.objective(estimate, audio, judge)
                (loss / len(batches)).backward()
            self.usage.add(codes)
            terms.append(found)
        norm = self.codec.clipped_norm()
        names = list(terms[0])
        means = torch.stack([torch.stack([t[name] for t in terms]).mean() for name in names])
        means = self.world.mean(means)
        # One transfer from the device. The norm is of averaged gradients, so the same everywhere.
        numbers = torch.cat([means, norm.detach()[None].to(means)]).tolist()
        values |= dict(zip([*names, "grad_norm"], numbers, strict=True))
        finite = bool(np.isfinite([float(values["loss"]), float(values["grad_norm"])]).all())
        if finite:
            self.codec.optimizer.step()
        return Outcome(values={name: float(v) for name, v in values.items()}, finite=finite)

    def _adversary_step(
        self, adversary: Learner, step: int, batches: Sequence[Tensor]
    ) -> dict[str, Tensor | float]:
        lr = adversary.schedule(step, self.recipe, self.recipe.adversary.lr)
        adversary.optimizer.zero_grad(set_to_none=True)
        adversary.module.train()
        self.codec.module.eval()
        losses = []
        for index, audio in enumerate(batches):
            with torch.no_grad():
                estimate = self.codec.wrapped(audio)[0]
            with adversary.without_sync(index == len(batches) - 1):
                # Both in one pass: gradient averaging allows one to a backward.
                outputs: Outputs = adversary.wrapped(torch.cat([estimate, audio]))
                fake = [[x.chunk(2)[0] for x in layers] for layers in outputs]
                real = [[x.chunk(2)[1] for x in layers] for layers in outputs]
                loss = discriminator_loss(fake, real)
                (loss / len(batches)).backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        norm = adversary.clipped_norm()
        loss = self.world.mean(torch.stack(losses).mean())
        if bool(torch.isfinite(norm)) and bool(torch.isfinite(loss)):
            adversary.optimizer.step()
        return {"discriminator": loss, "discriminator_norm": norm, "discriminator_lr": lr}

    def noise(self, batch: int, items: int) -> Tensor:
        """The quantizer's uniform draws ``[items, N, D, 2]`` of this process's items of a batch.

        Each item has its own, so that they do not depend on how many processes share a batch.
        """
        tokens = self.recipe.crop_length(self.config) // self.config.hop
        first = self.world.rank * items
        draws = [
            np.random.default_rng([self.recipe.seed, 1, batch, first + i]).random(
                (tokens, len(self.config.levels), 2), np.float32
            )
            for i in range(items)
        ]
        return torch.from_numpy(np.stack(draws)).to(self.device)
