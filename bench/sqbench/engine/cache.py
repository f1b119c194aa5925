"""Decoded audio of a run, kept until every evaluator has heard it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

IN_MEMORY = 1 << 28
"""Bytes kept in memory; what comes after lies in temporary files."""

ON_DISK = 1 << 32
"""Bytes after which a run has evaluators listen before it decodes more."""

Key = tuple[str, str]
"""Codec id and utterance id."""


class AudioCache:
    """Waveforms ``[T]`` with their rates, in memory or in temporary files.

    Args:
        in_memory: see `IN_MEMORY`.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self.in_memory = in_memory
        self.bytes = self._saved = 0
        self._held: dict[Key, tuple[NDArray[np.floating] | Path, int]] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> AudioCache:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def put(self, key: Key, samples: NDArray[np.floating], rate: int) -> None:
        """Keep a waveform; of one key the last."""
        self.bytes += samples.nbytes
        if self.bytes <= self.in_memory:
            self._held[key] = (samples, rate)
            return
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="sqbench-")
        path = Path(self._folder.name) / f"{self._saved}.npy"
        self._saved += 1  # not the number held: of one key the last is, and its file another's
        np.save(path, samples)
        self._held[key] = (path, rate)

    def get(self, key: Key) -> tuple[NDArray[np.floating], int]:
        """A waveform and its rate, Hz; KeyError if it was not kept."""
        held, rate = self._held[key]
        return (np.load(held) if isinstance(held, Path) else held), rate

    def __contains__(self, key: Key) -> bool:
        return key in self._held

    def clear(self) -> None:
        """Forget all of it."""
        self._held.clear()
        self.bytes = 0
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
