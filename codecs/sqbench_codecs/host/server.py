"""What a host does: load one codec, then code what it is sent, each clip from its own seed."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

if __package__:
    from sqbench_codecs.host import seeding
    from sqbench_codecs.host.wire import PROTOCOL, Line
else:  # run from this folder by an interpreter that has nothing of ours
    import seeding  # type: ignore[import-not-found,no-redef]
    from wire import PROTOCOL, Line  # type: ignore[import-not-found,no-redef]

Load = Callable[[dict[str, Any]], tuple[Any, dict[str, Any]]]
"""A request to the codec and its description."""


def serve(reader: int, writer: int, load: Load) -> None:
    """Answer requests until the line is closed."""
    parent = os.getppid()
    _first_to_die()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    line = Line(reader, writer)
    line.send({"protocol": PROTOCOL, "python": sys.version.split()[0], "pid": os.getpid()})
    codec: Any = None
    coder: SeededCodec | None = None
    while True:
        try:
            request, arrays = line.receive()
        except EOFError:
            return
        answer: dict[str, Any] = {}
        given: list[Any] = []
        try:
            if request["do"] == "load":
                _limit_memory(request.get("memory_gb"))
                codec, description = load(request)
                coder = SeededCodec(codec)
                answer = {"codec": description}
            elif request["do"] == "code":
                assert coder is not None, "nothing is loaded"
                answer, given = coder.code(arrays, request["seeds"])
            else:
                assert coder is not None, "nothing is loaded"
                given = coder.call(request["method"], arrays, request["lengths"])
        except BaseException as error:  # a codec may be anybody's code, and may call sys.exit
            line.send(
                {
                    "ok": False,
                    "error": str(error) or type(error).__name__,
                    "kind": type(error).__name__,
                    "known": type(error).__name__ == "InputError",
                    "traceback": traceback.format_exc(),
                }
            )
            del error
            continue
        line.send({"ok": True, **answer}, given)


class SeededCodec:
    """A codec and what is known of it: whether it draws random numbers."""

    def __init__(self, codec: Any) -> None:
        self.codec = codec
        self.draws = False

    def code(self, audio: list[Any], seeds: list[int]) -> tuple[dict[str, Any], list[Any]]:
        """Encode and decode clips ``[T]`` together, or one by one for a codec that draws numbers.

        Whether it does shows after the first batch; that one is then done again.
        """
        if not self.draws and len(audio) > 1:
            seeding.seed_all(seeds[0])
            before = seeding.mark()
            found = self._together(audio)
            if seeding.mark() == before:
                return found
            self.draws = True
        parts = []
        for one, seed in zip(audio, seeds, strict=True):
            seeding.seed_all(seed)
            parts.append(self._together([one]))
        return (
            {"times": [time for answer, _ in parts for time in answer["times"]]},
            [array for _, arrays in parts for array in arrays],
        )

    def call(self, method: str, arrays: list[Any], lengths: list[int]) -> list[Any]:
        """``encode`` or ``decode`` alone, arrays in and out."""
        given = [np.array(one) for one in arrays]
        if method == "encode":
            return [as_array(one) for one in self.codec.encode(given)]
        return [as_array(one) for one in self.codec.decode(given, lengths)]

    def _together(self, audio: list[Any]) -> tuple[dict[str, Any], list[Any]]:
        # A codec may write into what it is given.
        start = time.perf_counter()
        codes = self.codec.encode([np.array(one) for one in audio])
        middle = time.perf_counter()
        decoded = self.codec.decode(codes, [len(one) for one in audio])
        end = time.perf_counter()
        if not len(codes) == len(decoded) == len(audio):
            raise ValueError(
                f"expected {len(audio)} results, found {len(codes)} codes and "
                f"{len(decoded)} waveforms"
            )
        share = [(middle - start) / len(audio), (end - middle) / len(audio)]
        pairs = zip(codes, decoded, strict=True)
        arrays = [array for pair in pairs for array in map(as_array, pair)]
        return {"times": [share] * len(audio)}, arrays


def as_array(value: Any) -> Any:
    """An array of what a codec gave: tensors of any device, and lists, are taken too."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if value.dtype.itemsize == 2 and value.is_floating_point() else value
        value = value.numpy()
    array = np.asarray(value)
    if array.dtype == object:
        raise TypeError(f"expected an array or a tensor, found {type(value).__name__}")
    return array


def _end_with(parent: int) -> None:
    """End this process when its parent is gone, whatever the codec is at."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _first_to_die() -> None:
    """Have the kernel choose this process, not the run, when memory runs out (Linux)."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as handle:
            handle.write("1000")
    except OSError:
        pass


def _limit_memory(gigabytes: float | None) -> None:
    """Have allocations beyond this fail here, as MemoryError, rather than on the machine."""
    if gigabytes is not None:
        import resource

        size = int(gigabytes * 2**30)
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
