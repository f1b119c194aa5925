"""A line a node: what each has done."""

from __future__ import annotations

import time
from collections import Counter

from sqbench.engine.cluster.connection import Node
from sqbench.engine.monitor import Monitor

LINE_S = 30.0


class NodeLines:
    """Counts clips by node, and says so now and then.

    Args:
        what: a codec or evaluator.
        verb: what is done to a clip.
    """

    def __init__(self, monitor: Monitor, what: str, verb: str) -> None:
        self.monitor, self.what, self.verb = monitor, what, verb
        self._clips: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._said = time.monotonic()

    def done(self, node: Node, clips: int, failed: int = 0) -> None:
        """A node has done so many clips, some of them without a result."""
        self._clips[node.name] += clips
        self._failed[node.name] += failed
        if time.monotonic() - self._said >= LINE_S:
            self.say()

    def lost(self, node: Node, pieces: int, why: str = "") -> None:
        """A node's process is gone, or the node is, with so many pieces of work."""
        self.monitor.note(
            f"{self.what}: lost on {node.name}: {pieces} pieces of work, which are done again"
            + (f" ({why})" if why else "")
        )

    def say(self) -> None:
        """A line for each node."""
        self._said = time.monotonic()
        for name in sorted(self._clips):
            failed = f", {self._failed[name]} failed" if self._failed[name] else ""
            self.monitor.note(f"{self.what}: {name}: {self._clips[name]} clips {self.verb}{failed}")
