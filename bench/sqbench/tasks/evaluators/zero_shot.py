"""What the two CLAPs share: prompts, and how a clip is brought to the length that they take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqbench.tasks.base import TaskData
from sqbench.tasks.embeddings import pack
from sqbench.tasks.evaluators.base import Waveform

PROMPT = "this is the sound of "


def categories(data: TaskData) -> list[str]:
    """The classes of the clips, sorted: what is chosen from."""
    return sorted({clip.label for clip in data.clips.values()})


def prompts(names: Sequence[str]) -> list[str]:
    """The protocol's text of each class."""
    return [PROMPT + name.replace("_", " ") for name in names]


def tiled(waveform: Waveform, length: int) -> Waveform:
    """``[length]``: a shorter clip repeated, of a longer one the middle.

    The protocol takes a random part of a longer one; its clips are all shorter.
    """
    if len(waveform) <= length:
        return np.tile(waveform, -(-length // max(1, len(waveform))))[:length]
    start = (len(waveform) - length) // 2
    return waveform[start : start + length]


def chosen(
    names: Sequence[str], scores: NDArray[np.floating], embedding: NDArray[np.floating]
) -> dict[str, Any]:
    """An observation of scaled similarities ``[classes]`` and an embedding ``[D]``."""
    powers = np.exp(scores - np.max(scores))
    posterior = powers / powers.sum()
    return {
        "label": names[int(np.argmax(scores))],
        "posterior": {n: round(float(p), 6) for n, p in zip(names, posterior, strict=True)},
        "embedding": pack(embedding),
    }
