"""The one place that starts, joins and leaves Ray, and knows its nodes."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqbench.errors import InputError

PREFIX = "ray"
"""``ray`` starts a cluster of this machine alone, ``ray://ADDRESS`` joins one that is there."""

_REMEDY = "pip install 'sqbench[ray]' (in a checkout: make ray)"


_ANSWER_S = 10.0


@dataclass(frozen=True)
class Node:
    """A machine of the cluster.

    Attributes:
        id: Ray's.
        name: for people: the host, with the beginning of the id.
        cpus, gpus: that the cluster may use of it.
    """

    id: str
    name: str
    cpus: int
    gpus: int


def is_ray(engine: str) -> bool:
    """Whether ``--engine`` means Ray.

    Raises:
        InputError: it means nothing.
    """
    if engine in ("local", PREFIX) or (
        engine.startswith(f"{PREFIX}://") and engine != f"{PREFIX}://"
    ):
        return engine != "local"
    raise InputError(
        f"engine {engine!r}", expected="local, ray or ray://ADDRESS", found="none of these"
    )


@contextmanager
def connected(engine: str, workers: int) -> Iterator[Any]:
    """Ray, joined; left in the end, which ends all actors of this run.

    Args:
        engine: ``ray`` or ``ray://ADDRESS``; the former joins ``RAY_ADDRESS`` where that is set.
        workers: processors of a cluster that is started here.

    Raises:
        InputError: Ray is not installed, or there is no cluster.
    """
    try:
        import ray
    except ImportError as error:
        raise InputError(
            f"engine {engine}", expected="the package ray", found=str(error), remedy=_REMEDY
        ) from error
    address = engine.removeprefix(f"{PREFIX}://") if "://" in engine else ""
    address = address or os.environ.get("RAY_ADDRESS", "")
    if address not in ("", "auto", "local"):
        _answers(engine, address)
    alone: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level=logging.ERROR,
            **({} if address else alone),
        )
    except (ConnectionError, TimeoutError, ValueError, RuntimeError) as error:
        raise _no_cluster(engine, error) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _answers(engine: str, address: str) -> None:
    """Ask for a line first: Ray itself would try for minutes, and then end the process."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()
    except (OSError, ValueError) as error:
        raise _no_cluster(engine, error) from error


def _no_cluster(engine: str, error: Exception) -> InputError:
    return InputError(
        f"engine {engine}",
        expected="a Ray cluster at that address, of this Python and this Ray",
        found=str(error).splitlines()[0],
        remedy="`ray start --head` on one machine, `ray start --address HOST:6379` on the others; "
        "run sqbench on one of them.",
    )


def nodes(ray: Any) -> list[Node]:
    """The machines that are there now, by id."""
    found = []
    for about in ray.nodes():
        if about["Alive"]:
            resources = about["Resources"]
            found.append(
                Node(
                    id=about["NodeID"],
                    name=f"{about['NodeManagerHostname']} ({about['NodeID'][:6]})",
                    cpus=int(resources.get("CPU", 0)),
                    gpus=int(resources.get("GPU", 0)),
                )
            )
    return sorted(found, key=lambda node: node.id)


def on(ray: Any, node_id: str) -> Any:
    """Scheduling on one node and no other."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node_id, soft=False)


def lost(ray: Any, error: BaseException) -> bool:
    """Whether an error of a call means that a process, a node or its objects are gone.

    What the called code itself raised is not that.
    """
    exceptions = ray.exceptions
    if isinstance(error, exceptions.RayTaskError):
        return isinstance(error.cause, exceptions.RayError)
    return isinstance(error, exceptions.RayError)
