"""What a training run is: every number that shapes it, in one frozen record."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any

from sqcodec.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Hyper-parameters of a run; saved whole with it.

    The defaults are a start that works on a CPU: a constant learning rate after a short warm-up,
    a quantizer that is bypassed at first, and a gradient clip that acts on outliers only (a clip
    that acts on every step leaves the network near silence). The published recipe differs.

    Attributes:
        max_steps: optimiser steps in all.
        batch_size: crops a step.
        windows: crop length in attention windows of the config.
        lr, betas, warmup_steps: AdamW, linear warm-up.
        decay_share: the last share of the steps, over which a cosine takes lr to ``lr_end``.
        clip_norm: gradient-norm clip.
        l1_weight, stft_weight: of the two losses (`sqcodec.train.losses`).
        bypass_steps: steps during which latents are bounded but not rounded.
        domains: relative weight of each domain (top-level folder of the data).
        gain_db: lowest gain of the random gain, whose highest is 0 dB.
        mix_probability: share of crops that are the sum of two.
        normalise: bring crops to the recipe's level before the gain.
        bf16: run the network in bfloat16 autocast (quantizer and losses stay in float32).
        ema: decay of the average of weights that is evaluated and exported; 0 for none.
    """

    max_steps: int = 2000
    batch_size: int = 2
    windows: int = 2
    lr: float = 3e-4
    lr_end: float = 1e-5
    betas: tuple[float, float] = (0.9, 0.99)
    warmup_steps: int = 30
    decay_share: float = 0.3
    clip_norm: float = 1e4
    l1_weight: float = 40.0
    stft_weight: float = 1.0
    bypass_steps: int = 300
    domains: dict[str, float] = field(default_factory=dict)
    gain_db: float = -15.0
    mix_probability: float = 0.15
    normalise: bool = True
    ema: float = 0.0
    bf16: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("max_steps", "batch_size", "windows"):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"recipe, {name}", expected="at least 1", found=str(value))
        weights = self.domains.values()
        if self.domains and not (all(w >= 0 for w in weights) and any(w > 0 for w in weights)):
            raise InputError(
                "recipe, domains",
                expected="weights of 0 or more, one above",
                found=f"{self.domains}",
            )

    def lr_at(self, step: int) -> float:
        """Learning rate of the step: linear warm-up, constant, cosine at the end."""
        if step < self.warmup_steps:
            return self.lr * (step + 1) / self.warmup_steps
        decay_steps = max(1, int(self.max_steps * self.decay_share))
        position = (step - (self.max_steps - decay_steps)) / decay_steps
        if position <= 0.0:
            return self.lr
        cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, position)))
        return self.lr_end + (self.lr - self.lr_end) * cosine

    def override(self, settings: list[str]) -> Recipe:
        """Apply ``key=value`` overrides.

        Raises:
            InputError: an unknown key, or a value of the wrong type or out of range.
        """
        known = {f.name: getattr(self, f.name) for f in fields(self)}
        changes: dict[str, Any] = {}
        for setting in settings:
            key, separator, text = setting.partition("=")
            if not separator or key not in known:
                raise InputError(
                    f"--set {setting}",
                    expected="key=value with one of " + ", ".join(known),
                    found=key,
                )
            try:
                changes[key] = _parse(text, known[key])
            except ValueError:
                raise InputError(
                    f"--set {setting}",
                    expected=f"a {type(known[key]).__name__} such as {known[key]!r}",
                    found=text,
                ) from None
        return replace(self, **changes)


def _parse(text: str, like: Any) -> Any:
    if isinstance(like, bool):
        if text not in ("true", "false"):
            raise ValueError(text)
        return text == "true"
    if isinstance(like, tuple):
        first, second = text.split(",")
        return float(first), float(second)
    if isinstance(like, dict):
        pairs = [part.split(":") for part in text.split(",") if part]
        return {name: float(weight) for name, weight in pairs}
    return type(like)(text)
