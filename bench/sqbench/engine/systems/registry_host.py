"""What runs in a codec's process under this interpreter: the registry's codecs."""

from __future__ import annotations

import sys
from typing import Any

from sqbench.counting import count
from sqbench.engine.systems.codec import described
from sqbench_codecs import CODECS, Codec
from sqbench_codecs.host import seeding
from sqbench_codecs.host.server import serve


def load(request: dict[str, Any]) -> tuple[Codec, dict[str, Any]]:
    """The codec of a request, and its description with what counting it gave."""
    sys.path[:] = request["path"]
    entry = CODECS.get(request["target"])
    options = {"weights": request["weights"], "device": request["device"]}
    codec = seeding.seeded(lambda: entry.load(**options), request["seed"])
    description, unknown = described(codec)
    cost: dict[str, float | None] | None
    problem = ""
    try:
        cost = count(codec)
    except Exception as error:  # a network may be anybody's code; it is scored all the same
        cost, problem = None, f"{type(error).__name__}: {error}"
    return codec, {**description, "unknown": unknown, "cost": cost, "not_counted": problem}


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), load)
