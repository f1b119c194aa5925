"""A host under any interpreter: ``python PATH_OF_THIS_FOLDER READER WRITER``.

Needs the standard library and NumPy. The codec is a class in a module or file that the other
interpreter can import: ``encode(list of float32 [T]) -> list of integers [num_codebooks,
frames]``, ``decode(codes, lengths) -> list of float32 [T]``, and the attributes ``sample_rate``,
``codebook_sizes``, ``frame_rate``, ``bitrate_bps`` and, if it likes, ``name`` (on the class or
the object, or in an attribute ``spec``, an object or a dict). The constructor is given
``weights`` and ``device`` where it has parameters of these names.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

_HERE = sys.path[0]

import fingerprint  # type: ignore[import-not-found]  # noqa: E402
import seeding  # type: ignore[import-not-found]  # noqa: E402
from server import serve  # type: ignore[import-not-found]  # noqa: E402

sys.path.remove(_HERE)  # the codec's own modules may have the names of ours

_FACTS = ("name", "sample_rate", "frame_rate", "codebook_sizes", "bitrate_bps")


def load(request: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The codec of a request, and what there is to say of it."""
    place, _, attribute = request["target"].rpartition(":")
    if place.endswith(".py"):
        path = Path(place).resolve()
        sys.path.insert(0, str(path.parent))
        module = importlib.import_module(path.stem)
    else:
        sys.path.insert(0, "")
        module = importlib.import_module(place)
    kind = getattr(module, attribute)
    takes = inspect.signature(kind).parameters
    given = {key: request[key] for key in ("weights", "device") if key in takes}
    if request["weights"] != "auto" and "weights" not in given:
        raise ValueError(f"{attribute} takes no weights, and {request['weights']!r} was given")
    codec = seeding.seeded(lambda: kind(**given), request["seed"])
    spec = getattr(codec, "spec", codec)
    facts = {
        name: spec.get(name) if isinstance(spec, dict) else getattr(spec, name, None)
        for name in _FACTS
    }
    if facts["codebook_sizes"] is None:
        raise ValueError(f"{attribute} has no codebook_sizes: one size for each codebook")
    facts["codebook_sizes"] = [int(size) for size in facts["codebook_sizes"]]
    facts["name"] = str(facts["name"] or attribute.lower())
    file = fingerprint.source_file(kind)
    held, unknown = fingerprint.of_object(codec)
    return codec, {
        **facts,
        "files": fingerprint.of_files(file) if file is not None else {},
        "held": held,
        "unknown": unknown,
        "packages": {
            name: getattr(sys.modules[name], "__version__", "")
            for name in ("numpy", "torch")
            if name in sys.modules
        },
    }


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), load)
