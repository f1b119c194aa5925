"""The contract of what is evaluated: clips in, reconstructions out, identity and cost known."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqbench import audio
from sqbench.engine.jobs import Item
from sqbench.errors import InputError
from sqbench.store.record import codec_id

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Coded:
    """What coding a clip took.

    Attributes:
        duration_s: seconds of audio.
        bits: that the codes carry, padding included; ``None`` where codes were not seen.
        encode_s, decode_s: seconds spent, shared evenly where several clips were coded together;
            ``None`` where somebody else spent them.
    """

    duration_s: float
    bits: float | None
    encode_s: float | None
    decode_s: float | None


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """A clip that went through a system.

    Attributes:
        reference: its first channel ``[T]`` at ``reference_rate``.
        estimate: what came out ``[T']`` at ``estimate_rate``.
        coded: what it took.
        codes: ``[num_codebooks, frames]``, where they were seen.
    """

    item: Item
    reference: NDArray[np.float64]
    reference_rate: int
    estimate: NDArray[np.floating]
    estimate_rate: int
    coded: Coded
    codes: NDArray[np.integer] | None = None


@dataclass(frozen=True)
class Lost:
    """A clip that did not come through, and why."""

    item: Item
    reason: str


class Subject:
    """What is evaluated, wherever it is: what it is called, what identifies it, what it costs.

    Attributes:
        description: JSON-able, for run records: ``name``, ``sample_rate``, ``frame_rate``,
            ``codebook_sizes``, ``num_codebooks``, ``bitrate_bps``, ``settings``, ``weights``, and
            ``hosted``: ``process``, ``inline``, ``interpreter`` or ``folder``.
        identity: short hash of all that its output depends on; part of record keys.
        unknown: what could not be hashed; if there is any, the identity is of this run alone.
    """

    description: dict[str, Any]
    unknown: Sequence[str] = ()

    @property
    def name(self) -> str:
        return str(self.description["name"])

    @property
    def identity(self) -> str:
        return codec_id(self.description)

    @property
    def weights_label(self) -> str:
        """``bundled 1a2b3c4d``: short enough for a table."""
        weights = self.description["weights"]
        sha256 = weights["sha256"]
        return str(weights["source"]) if sha256 is None else f"{weights['source']} {sha256[:8]}"

    def content(self, item: Item) -> str:
        """What a clip's result depends on beyond `identity`; part of its record keys."""
        return ""

    def cost(self) -> dict[str, float | None]:
        """``macs_g`` and ``params_m`` (`sqbench.counting.count`), ``None`` if not to be counted."""
        return {"macs_g": None, "params_m": None}

    def log(self) -> str:
        """The first traceback and what it printed, if it failed; else nothing."""
        return ""

    def close(self) -> None:
        """Give back what is held; some hold nothing."""


class System(Subject, ABC):
    """Something that reconstructs clips, in this process or from it."""

    @abstractmethod
    def reconstruct(
        self, batches: Iterator[Sequence[Item]], *, seconds: float | None = None
    ) -> Iterator[Reconstruction | Lost]:
        """Yield one outcome per clip, in order; never raises for a clip.

        Args:
            batches: clips that may be coded together; values do not depend on how they are
                grouped.
            seconds: at most so much of each clip, from its beginning.
        """


def read_reference(item: Item, seconds: float | None = None) -> tuple[NDArray[np.float64], int]:
    """What is coded and scored of a clip, if it still is what the run was planned with.

    Args:
        seconds: at most so much of it, from its beginning.

    Returns:
        Its first channel ``[T]`` and the rate in Hz.

    Raises:
        InputError: the audio cannot be decoded, or changed since it was hashed.
        OSError: the file cannot be read.
    """
    clip = item.utterance
    samples, rate = clip.read(item.audio_sha256)
    reference = audio.first_channel(samples)
    for remark in audio.remarks(reference, rate):
        _say(str(clip.path or clip.id), remark)
    if seconds is not None:
        reference = reference[: max(1, round(seconds * rate))]
    return reference, rate


@lru_cache(4096)
def _say(name: str, remark: str) -> None:
    """Once a clip, whatever the number of systems."""
    logger.warning("%s: %s", name, remark)


def why(error: BaseException) -> str:
    """What a user is told of an error: bad input in its own words, anything else with its type."""
    known = isinstance(error, InputError | OSError)
    return str(error) if known else f"{type(error).__name__}: {error}"
