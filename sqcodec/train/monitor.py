"""Who watches a run: a terminal, or nobody."""

from __future__ import annotations

from typing import Any, Protocol


class Monitor(Protocol):
    """Who watches a run."""

    def step(self, row: dict[str, Any]) -> None:
        """A step was taken."""

    def report(self, row: dict[str, Any]) -> None:
        """A report is due."""


class Silent:
    """Nobody watches."""

    def step(self, row: dict[str, Any]) -> None:
        pass

    def report(self, row: dict[str, Any]) -> None:
        pass
