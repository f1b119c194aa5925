"""The embedded mini set: three small sets that ship in the package (see ``mini/README.md``)."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from .manifest import ManifestSource

NAME = "mini"


class MiniSource(ManifestSource):
    """`mini_speech`, `mini_music` and `mini_events`, with text, speaker, style and event labels.

    Within a set speakers and classes take turns, so that its first clips already hold all of them.
    """

    def __init__(self) -> None:
        super().__init__(Path(str(files("sqbench.data"))) / "mini" / "manifest.csv")
        self.name = self.location = NAME
