"""What a run will cost: parameters, memory and time, from one small pass on the device."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from sqcodec.train.loop import Trainer
from sqcodec.train.networks import frozen

_ADAM_COPIES = 4  # weights, gradients, two moments


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The cost of a run on this device.

    Attributes:
        codec_parameters, adversary_parameters: of the two networks; 0 for no adversary.
        memory_bytes: weights, gradients, optimiser state and what a pass keeps for its gradient;
            not the temporaries of single operations.
        step_s: seconds of a step, the discriminator's share included.
        audio_s: seconds of audio a step.
    """

    codec_parameters: int
    adversary_parameters: int
    memory_bytes: int
    step_s: float
    audio_s: float


def estimate(trainer: Trainer) -> Estimate:
    """Time one window's forward and backward pass, and scale it to the recipe's step.

    A batch may run somewhat faster than its crops one by one. No weight is changed.
    """
    recipe, config = trainer.recipe, trainer.config
    adversary = trainer.adversary if recipe.adversary.enabled else None
    length = max(config.pad_multiple, 4096 if adversary else 0)
    audio = 0.1 * torch.randn(1, length, device=trainer.device)
    for measured in (False, True):  # the first warms up
        kept = _Kept()
        start = time.perf_counter()
        with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda tensor: tensor):
            estimate, _ = trainer.codec.wrapped(audio)
            if adversary is None:
                loss, _ = trainer.stepper.objective(estimate, audio, None)
            else:
                with frozen(adversary.module) as judge:
                    loss, _ = trainer.stepper.objective(estimate, audio, judge)
        loss.backward()
        if trainer.device.type == "cuda":
            torch.cuda.synchronize(trainer.device)
        codec_s = time.perf_counter() - start
        trainer.codec.optimizer.zero_grad(set_to_none=True)
        if measured:
            break
    passes = recipe.batch_size // trainer.world.size * recipe.accumulate * trainer.length / length
    # A discriminator step runs the codec forward and the discriminator on both signals: about as
    # much as a pass of the codec with it.
    step_s = passes * codec_s * (1.0 + (1.0 / recipe.adversary.every if adversary else 0.0))
    codec = sum(p.numel() for p in trainer.model.parameters())
    judge_size = sum(p.numel() for p in adversary.module.parameters()) if adversary else 0
    crops = recipe.batch_size / trainer.world.size * trainer.length / length
    return Estimate(
        codec_parameters=codec,
        adversary_parameters=judge_size,
        memory_bytes=round(
            4 * _ADAM_COPIES * (codec + judge_size)
            + (4 * codec if trainer.average else 0)
            + kept.bytes * crops
        ),
        step_s=step_s,
        audio_s=recipe.batch_size * recipe.accumulate * trainer.length / config.sample_rate,
    )


class _Kept:
    """Counts the storage of what autograd keeps, each once."""

    def __init__(self) -> None:
        self.bytes = 0
        self._seen: set[int] = set()

    def pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if not isinstance(tensor, torch.nn.Parameter) and storage.data_ptr() not in self._seen:
            self._seen.add(storage.data_ptr())
            self.bytes += storage.nbytes()
        return tensor
