"""The executor of a cluster: for systems that stay where the run is (`folder:`, loaded codecs)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from sqbench.engine.cluster import connection, remote
from sqbench.engine.cluster.scoring import LOSSES
from sqbench.engine.pool import Failure

Item = TypeVar("Item")
Result = TypeVar("Result")


class RayExecutor:
    """A `sqbench.engine.pool.Executor` whose workers are the processors of a cluster."""

    def __init__(self, ray: Any) -> None:
        self.ray = ray
        self._call = ray.remote(num_cpus=1, max_retries=LOSSES)(remote.call)

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[int, Result | Failure]]:
        """See `sqbench.engine.pool.Executor.map`."""
        running: dict[Any, int] = {}
        source = enumerate(items)
        more = True
        processors = sum(node.cpus for node in connection.nodes(self.ray))
        while more or running:
            while more and len(running) < 2 * max(1, processors):
                found = next(source, None)
                if found is None:
                    more = False
                else:
                    running[self._call.remote(function, found[1])] = found[0]
            for ref in self.ray.wait(list(running), timeout=1.0)[0] if running else ():
                yield running.pop(ref), self._outcome(ref)

    def _outcome(self, ref: Any) -> Any:
        try:
            return self.ray.get(ref)
        except Exception as error:
            if not connection.lost(self.ray, error):
                raise
            return Failure(f"lost on the cluster ({type(error).__name__})")
