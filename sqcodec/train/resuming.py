"""What a checkpoint holds, and how a run goes on from one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqcodec.checkpoint import load_checkpoint, read_card, tensors_sha256
from sqcodec.config import SQCodecConfig
from sqcodec.errors import InputError
from sqcodec.model import SQCodecModel
from sqcodec.train.record import open_stage
from sqcodec.train.snapshots import read_state

if TYPE_CHECKING:
    from sqcodec.train.loop import Trainer

logger = logging.getLogger(__name__)

COUNTERS = (
    "step", "seconds", "audio_seconds", "skipped", "skipped_in_a_row", "best", "stages", "init"
)  # fmt: skip
"""What a checkpoint holds beside tensors; the trainer's attributes of these names."""
VALIDATED_BY = (
    "data.files_sha256", "recipe.seed", "recipe.windows", "recipe.seconds", "recipe.select"
)  # fmt: skip
"""Where a stage differs, an earlier best step cannot be compared."""


def state(trainer: Trainer) -> dict[str, Any]:
    """All that a resume needs. What is random in a step is drawn from its number (`sampler`)."""
    state: dict[str, Any] = {key: getattr(trainer, key) for key in COUNTERS}
    state["config"] = trainer.config.name
    state["codec"] = trainer.codec.state_dict()
    state["adversary"] = trainer.adversary.state_dict() if trainer.adversary else None
    state["average"] = trainer.average.model.state_dict() if trainer.average else None
    return state


def save(trainer: Trainer) -> None:
    """Write a checkpoint between reports."""
    if trainer.world.leads:
        trainer.snapshots.write(trainer.step, state(trainer), best=False)


def restore(trainer: Trainer, path: Path) -> None:
    """Continue from a checkpoint of the same network.

    A changed recipe or corpus is logged and opens a new stage of the run.

    Raises:
        InputError: missing, unreadable, or of another network.
    """
    state = read_state(path, {"config", "codec", "adversary", "average", *COUNTERS})
    if state["config"] != trainer.config.name:
        raise InputError(
            str(path), expected=f"config {trainer.config.name}", found=str(state["config"])
        )
    try:
        trainer.codec.load_state_dict(state["codec"])
        if trainer.average is not None:
            # A run that had none so far starts its average where it stands.
            trainer.average.model.load_state_dict(state["average"] or state["codec"]["module"])
        if trainer.adversary is not None and state["adversary"] is not None:
            trainer.adversary.load_state_dict(state["adversary"])
    except (RuntimeError, ValueError, KeyError) as error:
        expected = f"the tensors of {trainer.config.name}"
        raise InputError(str(path), expected=expected, found=str(error)) from error
    for key in COUNTERS:
        setattr(trainer, key, state[key])
    trainer.stages, lines = open_stage(trainer.stages, trainer.stage())
    for line in lines:
        logger.info("from step %d: %s", trainer.step, line)
    if trainer.best is not None and any(line.startswith(VALIDATED_BY) for line in lines):
        logger.info("validation is not the same as before: the best so far does not count")
        trainer.best = None


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
