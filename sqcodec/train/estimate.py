"""What a run will cost: parameters, memory and time, from small passes on the device."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from sqcodec.train.loop import Trainer
from sqcodec.train.networks import frozen

PASSES = 7
PATIENCE_S = 60.0
"""No further pass is begun after so long; three are timed in any case."""
_ADAM_COPIES = 4  # weights, gradients, two moments


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The cost of a run on this device.

    Attributes:
        codec_parameters, adversary_parameters: of the two networks; 0 for no adversary.
        memory_bytes: weights, gradients, optimiser state and what a pass keeps for its gradient;
            not the temporaries of single operations.
        step_s: seconds of a step, the discriminator's share included: the median over passes.
        step_range_s: of the fastest and the slowest pass.
        passes: how many were timed.
        audio_s: seconds of audio a step.
    """

    codec_parameters: int
    adversary_parameters: int
    memory_bytes: int
    step_s: float
    step_range_s: tuple[float, float]
    passes: int
    audio_s: float


def estimate(trainer: Trainer) -> Estimate:
    """Time one window's forward and backward pass a few times, and scale it to the recipe's step.

    A batch may run somewhat faster than its crops one by one. No weight is changed.
    """
    recipe, config = trainer.recipe, trainer.config
    adversary = trainer.state.adversary if recipe.adversary.enabled else None
    length = window_length(trainer)
    kept = one_pass(trainer)  # warms up
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < PASSES and (len(times) < 3 or time.perf_counter() - began < PATIENCE_S):
        start = time.perf_counter()
        kept = one_pass(trainer)
        times.append(time.perf_counter() - start)
    passes = recipe.batch_size // trainer.world.size * recipe.accumulate * trainer.length / length
    # A discriminator step runs the codec forward and the discriminator on both signals: about as
    # much as a pass of the codec with it.
    factor = passes * (1.0 + (1.0 / recipe.adversary.every if adversary else 0.0))
    codec = sum(p.numel() for p in trainer.state.model.parameters())
    judge_size = sum(p.numel() for p in adversary.module.parameters()) if adversary else 0
    crops = recipe.batch_size / trainer.world.size * trainer.length / length
    return Estimate(
        codec_parameters=codec,
        adversary_parameters=judge_size,
        memory_bytes=round(
            4 * _ADAM_COPIES * (codec + judge_size)
            + (4 * codec if trainer.state.average else 0)
            + kept * crops
        ),
        step_s=factor * statistics.median(times),
        step_range_s=(factor * min(times), factor * max(times)),
        passes=len(times),
        audio_s=recipe.batch_size * recipe.accumulate * trainer.length / config.sample_rate,
    )


def window_length(trainer: Trainer) -> int:
    """Samples of the least that can be passed through all networks."""
    return max(trainer.config.pad_multiple, 4096 if trainer.recipe.adversary.enabled else 0)


def one_pass(trainer: Trainer, bf16: bool | None = None) -> int:
    """One window forward and backward; returns the bytes that autograd kept for its gradient.

    Args:
        bf16: under bfloat16 or not; ``None`` for what the recipe says.
    """
    kept = _Kept()
    core = trainer.state.codec.core
    before = core.bf16
    core.bf16 = before if bf16 is None else bf16
    audio = 0.1 * torch.randn(1, window_length(trainer), device=trainer.device)
    adversary = trainer.state.adversary if trainer.recipe.adversary.enabled else None
    try:
        with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda tensor: tensor):
            decoded, _ = trainer.state.codec.wrapped(audio)
            if adversary is None:
                loss, _ = trainer.stepper.objective(decoded, audio, None)
            else:
                with frozen(adversary.module) as judge:
                    loss, _ = trainer.stepper.objective(decoded, audio, judge)
        loss.backward()
    finally:
        core.bf16 = before
        trainer.state.codec.optimizer.zero_grad(set_to_none=True)
    if trainer.device.type == "cuda":
        torch.cuda.synchronize(trainer.device)
    return kept.bytes


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
