"""How a run is done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from sqbench.engine.shards import Shard
from sqbench.metrics.protocol import DEFAULT


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a run is done.

    Attributes:
        suite: which metrics, unless ``metrics`` names them, and whether applications.
        evaluators: who listens, for applications (`sqbench.tasks.evaluators.catalogue.choose`).
        protocol: the scoring rules.
        weights: ``auto``, ``official``, ``official@REV``, ``bundled`` or a path, for codecs given
            by name.
        limit: at most that many utterances of each set.
        workers: processes that measure; values do not depend on it.
        device: of the codecs and the evaluators; several with commas between hold a process of
            each codec each, the first has the evaluators.
        hosts: processes that hold a codec, on one device; values do not depend on it.
        codec_timeout_s: seconds that a codec may take for a clip of up to 10 s.
        codec_memory_gb: what a codec's process may take at most.
        debug: codecs stay in this process, and what they raise comes out.
        batch_size: utterances that a codec is handed at once; values do not depend on it.
        seed: of the random numbers of codecs that draw some.
        force: compute again what is there.
        save_audio: write every decoded clip beside the records.
        engine: ``local``, ``ray`` or ``ray://ADDRESS``; values do not depend on it.
        shard: the part of the clips that this run is for.
        command: kept in the run record.
    """

    suite: str = "signal"
    metrics: Sequence[str] | None = None
    evaluators: str | None = None
    protocol: str = DEFAULT
    weights: str = "auto"
    limit: int | None = None
    workers: int = 2
    device: str = "cpu"
    hosts: int = 1
    codec_timeout_s: float = 300.0
    codec_memory_gb: float | None = None
    debug: bool = False
    batch_size: int = 8
    seed: int = 0
    force: bool = False
    save_audio: bool = False
    engine: str = "local"
    shard: Shard | None = None
    command: str = ""

    @property
    def devices(self) -> list[str]:
        """A device for each process of a codec."""
        return [name.strip() for name in self.device.split(",")] * self.hosts
