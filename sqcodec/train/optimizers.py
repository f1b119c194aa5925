"""AdamW, or Muon for matrices beside AdamW for the rest, as one optimiser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import nn

from sqcodec.train.recipes.recipe import Recipe


class AnyOptimizer(Protocol):
    """What a learner needs of an optimiser."""

    @property
    def param_groups(self) -> list[dict[str, Any]]: ...

    def step(self) -> Any: ...

    def zero_grad(self, set_to_none: bool = True) -> None: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None: ...


class Several:
    """Optimisers that step together, each on parameters of its own."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        self._parts = parts

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for part in self._parts for group in part.param_groups]

    def step(self) -> None:
        for part in self._parts:
            part.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        for part in self._parts:
            part.zero_grad(set_to_none=set_to_none)

    def state_dict(self) -> dict[str, Any]:
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        states = state_dict.get("parts", [state_dict])
        if len(states) != len(self._parts):
            raise ValueError(f"{len(states)} optimisers, and {len(self._parts)} in this run")
        for part, state in zip(self._parts, states, strict=True):
            part.load_state_dict(state)


def optimizer_of(module: nn.Module, recipe: Recipe, weight_decay: float, kind: str) -> AnyOptimizer:
    """The optimiser of a network's trainable parameters.

    Args:
        kind: ``adamw``, or ``muon`` (Jordan et al. 2024): matrices take orthogonalised steps whose
            size matches AdamW's at the same learning rate; all else has AdamW.
    """
    settings = recipe.optimizer
    parameters = [p for p in module.parameters() if p.requires_grad]
    matrices = [p for p in parameters if kind == "muon" and p.ndim == 2 and min(p.shape) > 1]
    apart = {id(p) for p in matrices}
    adamw = torch.optim.AdamW(
        [p for p in parameters if id(p) not in apart],
        lr=settings.lr,
        betas=settings.betas,
        eps=settings.eps,
        weight_decay=weight_decay,
        fused=True,
    )
    if not matrices:
        return adamw
    muon = torch.optim.Muon(
        matrices, lr=settings.lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
    )
    return Several([adamw, muon])
