"""How a run goes on from a checkpoint, or starts from weights that are there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqcodec.checkpoint import load_checkpoint, read_card, tensors_sha256
from sqcodec.config import SQCodecConfig
from sqcodec.errors import InputError
from sqcodec.model import SQCodecModel
from sqcodec.train.checkpoints import read_state
from sqcodec.train.record import open_stage
from sqcodec.train.state import COUNTERS, TrainState

logger = logging.getLogger(__name__)

VALIDATED_BY = (
    "data.files_sha256", "recipe.seed", "recipe.windows", "recipe.seconds", "recipe.select"
)  # fmt: skip
"""Where a stage differs, an earlier best step cannot be compared."""


def restore(state: TrainState, path: Path, stage: Callable[[], dict[str, Any]]) -> None:
    """Continue from a checkpoint of the same network.

    A changed recipe or corpus is logged and opens a new stage of the run.

    Args:
        stage: says what holds from the state's step on.

    Raises:
        InputError: missing, unreadable, or of another network.
    """
    found = read_state(path, {"config", "codec", "adversary", "average", *COUNTERS})
    if found["config"] != state.config.name:
        raise InputError(
            str(path), expected=f"config {state.config.name}", found=str(found["config"])
        )
    try:
        state.load_state_dict(found)
    except (RuntimeError, ValueError, KeyError) as error:
        expected = f"the tensors of {state.config.name}"
        raise InputError(str(path), expected=expected, found=str(error)) from error
    state.stages, lines = open_stage(state.stages, stage())
    for line in lines:
        logger.info("from step %d: %s", state.step, line)
    if state.best is not None and any(line.startswith(VALIDATED_BY) for line in lines):
        logger.info("validation is not the same as before: the best so far does not count")
        state.best = None


def load_init(source: str, config: SQCodecConfig) -> tuple[SQCodecModel, dict[str, Any]]:
    """Weights to start from, and what the card says of them.

    Args:
        source: ``official``, ``bundled``, or a path (see `sqcodec.weights.load_weights`).
        config: of the network in training.

    Raises:
        InputError: there are none, or they are of another network.
    """
    from sqcodec.weights import bundled_path, load_weights

    path = Path(source)
    if source not in ("official", "bundled") and (path.is_file() or (path / "model.json").exists()):
        model, card = load_checkpoint(path, config)
        return model, {
            "file": path.resolve().name, "sha256": tensors_sha256(model), "card": card
        }  # fmt: skip
    model, info = load_weights(config.name, source if source in ("official", "bundled") else path)
    origin: dict[str, Any] = {
        "source": info.source, "detail": Path(info.detail).name, "sha256": info.sha256
    }  # fmt: skip
    if info.source == "bundled":
        # These will be replaced one day, perhaps by what is trained from them.
        origin["card"] = read_card(bundled_path(config.name))[1]
    return model, origin
