"""What changes in a run, and nothing else: what a checkpoint holds and a report measures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqcodec.config import SQCodecConfig
from sqcodec.model import SQCodecModel
from sqcodec.train.networks import Average, Learner

COUNTERS = (
    "step", "seconds", "audio_seconds", "skipped", "skipped_in_a_row", "best", "stages", "init"
)  # fmt: skip
"""What a checkpoint holds beside tensors: fields of `TrainState` of these names."""


@dataclass(kw_only=True)
class TrainState:
    """Networks with their optimisers, their average, and how far they are.

    What is random in a step is drawn from its number (`sqcodec.train.data.sampler`), so no
    generator is part of it.

    Attributes:
        config: of the network in training.
        codec, adversary: networks with optimiser and schedule.
        average: of the codec's weights, where the recipe wants one.
        step: optimiser steps taken.
        seconds: spent in training.
        audio_seconds: heard, of crops with their repetitions.
        skipped, skipped_in_a_row: steps whose loss or gradient was not finite.
        best: the best value so far of what the recipe selects by.
        stages: what held from which step on.
        init: which weights the run started from.
    """

    config: SQCodecConfig
    codec: Learner
    adversary: Learner | None = None
    average: Average | None = None
    step: int = 0
    seconds: float = 0.0
    audio_seconds: float = 0.0
    skipped: int = 0
    skipped_in_a_row: int = 0
    best: float | None = None
    stages: list[dict[str, Any]] = field(default_factory=list)
    init: dict[str, Any] | None = None

    @property
    def model(self) -> SQCodecModel:
        """The network in training."""
        module: Any = self.codec.module
        return module  # type: ignore[no-any-return]

    @property
    def evaluated(self) -> SQCodecModel:
        """The network that is validated and exported: the average where there is one."""
        return self.average.model if self.average else self.model

    def state_dict(self) -> dict[str, Any]:
        """All that a resume needs."""
        return {
            **{key: getattr(self, key) for key in COUNTERS},
            "config": self.config.name,
            "codec": self.codec.state_dict(),
            "adversary": self.adversary.state_dict() if self.adversary else None,
            "average": self.average.model.state_dict() if self.average else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave.

        Raises:
            RuntimeError, ValueError, KeyError: it is of another network.
        """
        self.codec.load_state_dict(state["codec"])
        if self.average is not None:
            # A run that had none so far starts its average where it stands.
            self.average.model.load_state_dict(state["average"] or state["codec"]["module"])
        if self.adversary is not None and state["adversary"] is not None:
            self.adversary.load_state_dict(state["adversary"])
        for key in COUNTERS:
            setattr(self, key, state[key])
