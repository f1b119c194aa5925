"""The metric contract: what a metric is given, what it returns, and how it declines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

Status = Literal["ok", "identical", "undefined", "failed"]
"""``ok``: has a value. ``identical``: the pair is equal, the value meaningless (counts as scored).
``undefined``: the metric has no value for this pair. ``failed``: something broke on the way."""


class Undefined(Exception):
    """A metric has no value for this pair. The reason becomes a null record, never a number."""

    def __init__(self, reason: str, *, identical: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.identical = identical

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.reason, self.identical)


def _rebuild(reason: str, identical: bool) -> Undefined:
    return Undefined(reason, identical=identical)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A reference and an estimate, prepared by the protocol (see `sqbench.metrics.protocol`).

    Attributes:
        reference: float64 ``[T]``, the first channel, at its own rate.
        estimate: float64 ``[T]``, brought to the reference's rate and cut to the shorter length.
        sample_rate: of both, in Hz.
        estimate_rate: the rate that the estimate came with.
        protocol: ``slt2024`` or ``slt2024-strict``.
    """

    reference: Samples
    estimate: Samples
    sample_rate: int
    estimate_rate: int
    protocol: str = "slt2024"


def is_for(categories: Collection[str], category: str) -> bool:
    """Whether a metric for these categories is for clips of ``category``.

    Clips of the category ``all`` may be anything: a metric is for them if it is for each.
    """
    return category in categories or (category == "all" and {"speech", "audio"} <= set(categories))


class Metric(ABC):
    """One way to compare a pair.

    Attributes:
        name: registry name and table column.
        version: raised when values may change; part of every record key.
        direction: whether higher or lower is better; ``none`` where that is not a question.
        bounds: lowest and highest possible value, ``None`` where there is none. A value outside is
            a defect of the metric, and recorded as ``failed``.
        categories: the categories of data it is defined for by the protocol.
        origin: which file or distribution a third party's metric came from; set by the registry.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    direction: ClassVar[Literal["higher", "lower", "none"]]
    bounds: ClassVar[tuple[float | None, float | None]]
    categories: ClassVar[tuple[str, ...]] = ("speech", "audio")
    origin: Mapping[str, str] = {}

    @property
    def better(self) -> Literal["higher", "lower"] | None:
        """The direction, as records have it."""
        return None if self.direction == "none" else self.direction

    @property
    def identity(self) -> str:
        """What a value depends on beside the pair: the version, and a third party's code."""
        return " ".join([str(self.version), *self.origin.values()])

    def is_for(self, category: str) -> bool:
        """Whether clips of a category are measured; those of no stated one by what is for all."""
        return is_for(self.categories, category)

    @abstractmethod
    def measure(self, pair: Pair) -> float:
        """The value for one pair.

        Raises:
            Undefined: there is no value; says why.
        """
