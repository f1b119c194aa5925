"""sqbench: the Codec-SUPERB benchmark harness for neural audio codecs.

Nothing heavy is imported here; names load what they need when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqbench.api import evaluate
    from sqbench.errors import InputError
    from sqbench.report.results import Results
    from sqbench.scoring import score, score_folders

__version__ = "0.1.0"
__all__ = ["InputError", "Results", "__version__", "evaluate", "score", "score_folders"]

_HOME = {
    "evaluate": "sqbench.api",
    "Results": "sqbench.report.results",
    "score": "sqbench.scoring",
    "score_folders": "sqbench.scoring",
    "InputError": "sqbench.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sqbench' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
