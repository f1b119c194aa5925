"""What is trained: the codec and its adversary, each with optimiser, schedule and gradient clip."""

from __future__ import annotations

import contextlib
import copy
import logging
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from sqcodec.config import SQCodecConfig
from sqcodec.model import SQCodecModel
from sqcodec.train.discriminator import Discriminator
from sqcodec.train.distributed import World
from sqcodec.train.optimizers import AnyOptimizer, optimizer_of
from sqcodec.train.precision import resolve
from sqcodec.train.recipes.recipe import Recipe
from sqcodec.train.recipes.schedule import values_at

logger = logging.getLogger(__name__)


class Learner:
    """A network that takes optimiser steps.

    Attributes:
        module: the network itself, for saving and for use without gradient averaging.
        wrapped: the same with gradients averaged over processes, for forward passes that train.
        core: what is wrapped.
    """

    def __init__(
        self,
        module: nn.Module,
        core: nn.Module,
        wrapped: nn.Module,
        optimizer: AnyOptimizer,
        clip_norm: float,
    ) -> None:
        self.module, self.wrapped, self.optimizer = module, wrapped, optimizer
        self.core: Any = core
        self.clip_norm = clip_norm

    def schedule(self, step: int, recipe: Recipe, peak: float) -> float:
        """Set learning rate and momentum of the step; returns the learning rate."""
        lr, beta1 = values_at(step, recipe.max_steps, recipe.optimizer, peak)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
            if "betas" in group:
                group["betas"] = (beta1, recipe.optimizer.betas[1])
            else:
                group["momentum"] = beta1
        return lr

    def without_sync(self, last: bool) -> contextlib.AbstractContextManager[Any]:
        """Gradients are averaged over processes in the last of a step's passes only."""
        no_sync = getattr(self.wrapped, "no_sync", None)
        return contextlib.nullcontext() if last or no_sync is None else no_sync()

    def clipped_norm(self) -> Tensor:
        """Clip the accumulated gradient, once a step; returns its norm before."""
        return nn.utils.clip_grad_norm_(self.module.parameters(), self.clip_norm)

    def state_dict(self) -> dict[str, Any]:
        return {"module": self.module.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])


class TrainedCodec(nn.Module):
    """The codec as its training pass sees it; shares the parameters of ``model``."""

    def __init__(self, model: SQCodecModel, bf16: bool) -> None:
        super().__init__()
        self.model, self.bf16 = model, bf16

    def forward(self, audio: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``[B, T]`` in whole windows to (reconstruction ``[B, T]`` in float32, codes ``[B, N]``).

        The quantizer stays in float32 under bfloat16 autocast.
        """
        with torch.autocast(audio.device.type, torch.bfloat16, enabled=self.bf16):
            stages = self.model.stages(audio, noise)
        return stages.audio.float(), stages.codes


def codec_learner(
    config: SQCodecConfig, recipe: Recipe, device: torch.device, world: World, compiled: bool
) -> Learner:
    """The codec with random weights."""
    model = SQCodecModel(config).to(device)
    for parameter in model.parameters():
        if not parameter.numel():  # a placeholder of the published files, never used
            parameter.requires_grad_(False)
    core: nn.Module = TrainedCodec(model, resolve(recipe.precision, device) == "bf16")
    if compiled:
        core.compile()
    optimizer = optimizer_of(model, recipe, recipe.optimizer.weight_decay, recipe.optimizer.kind)
    wrapped = world.wrap(core, device)
    return Learner(model, core, wrapped, optimizer, recipe.optimizer.clip_norm)


def adversary_learner(
    config: SQCodecConfig, recipe: Recipe, device: torch.device, world: World
) -> Learner | None:
    """The discriminator with random weights, if the recipe has one."""
    settings = recipe.adversary
    if not settings.enabled:
        return None
    module = Discriminator(
        config.sample_rate,
        periods=settings.periods,
        windows=settings.windows,
        width=settings.width,
    ).to(device)
    optimizer = optimizer_of(module, recipe, settings.weight_decay, "adamw")
    return Learner(module, module, world.wrap(module, device), optimizer, settings.clip_norm)


@contextlib.contextmanager
def frozen(module: nn.Module) -> Iterator[nn.Module]:
    """The module in evaluation mode and without gradients of its own, then as it was."""
    before = module.training, [p.requires_grad for p in module.parameters()]
    module.eval().requires_grad_(False)
    try:
        yield module
    finally:
        module.train(before[0])
        for parameter, wanted in zip(module.parameters(), before[1], strict=True):
            parameter.requires_grad_(wanted)


class Average:
    """Exponential moving average of the codec's weights.

    Args:
        model: whose average it is.
        decay: of each step; young averages follow faster, or they would be mostly the start.
    """

    def __init__(self, model: SQCodecModel, decay: float) -> None:
        self.decay = decay
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: SQCodecModel, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        mine: list[Tensor] = list(self.model.parameters())
        theirs: list[Tensor] = list(model.parameters())
        torch._foreach_lerp_(mine, theirs, 1.0 - decay)
