"""Learning rate and first momentum by step: pure functions, so that a resume has nothing to load.

``one-cycle``: Smith & Topin's cycle in the three-phase cosine form of
`torch.optim.lr_scheduler.OneCycleLR` with the successor's numbers: from a tenth of the peak up over
40 % of the steps, down again over 40 %, then to a hundredth; beta1 moves against it, 0.95, 0.85,
0.95. It spans the run's own steps: the successor's discriminator schedule, advanced only on some of
its steps, never left its warm-up.
"""

from __future__ import annotations

import math

from sqcodec.train.recipes.sections import Optimizer

UP_SHARE = 0.4
DIVISOR = 10.0
FINAL_DIVISOR = 10.0
MOMENTA = (0.85, 0.95)


def values_at(step: int, max_steps: int, recipe: Optimizer, lr: float) -> tuple[float, float]:
    """Learning rate and beta1 of ``step`` (from 0) of ``max_steps``, for a peak of ``lr``."""
    if recipe.schedule == "one-cycle":
        return _one_cycle(step, max_steps, lr)
    if step < recipe.warmup_steps:
        return lr * (step + 1) / recipe.warmup_steps, recipe.betas[0]
    decay_steps = max(1, int(max_steps * recipe.decay_share))
    position = (step - (max_steps - decay_steps)) / decay_steps
    low = recipe.lr_end * lr / recipe.lr
    if recipe.decay_share == 0 or position <= 0:
        return lr, recipe.betas[0]
    return _cosine(lr, low, min(1.0, position)), recipe.betas[0]


def _one_cycle(step: int, max_steps: int, lr: float) -> tuple[float, float]:
    low_momentum, high_momentum = MOMENTA
    start = lr / DIVISOR
    # Steps at which the phases end, as OneCycleLR has them.
    up, down, end = UP_SHARE * max_steps - 1, 2 * UP_SHARE * max_steps - 2, max_steps - 1
    if step <= up or end <= 0:
        position = step / up if up > 0 else 1.0
        return _cosine(start, lr, position), _cosine(high_momentum, low_momentum, position)
    if step <= down:
        position = (step - up) / (down - up)
        return _cosine(lr, start, position), _cosine(low_momentum, high_momentum, position)
    position = min(1.0, (step - down) / (end - down)) if end > down else 1.0
    return _cosine(start, start / FINAL_DIVISOR, position), high_momentum


def _cosine(start: float, end: float, position: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * position))
