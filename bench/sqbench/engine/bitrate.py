"""Is what a codec says of its bitrate true?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from sqbench.store.record import Record

TOLERANCE = 0.05
"""Of the nominal bitrate: below, whole frames at a clip's end explain a difference."""


class BitrateWatch:
    """Watches the coding records of a third party's codec; the project's own are tested.

    The longest clip is what counts, as padding weighs least there.

    Args:
        description: of the codec (`sqbench.engine.systems.base.System`).
    """

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.name = description["name"]
        own = "held" in description["settings"]
        self.nominal: float | None = description["bitrate_bps"] if own else None
        self._seconds = self._bits = 0.0

    def see(self, records: Iterable[Record]) -> None:
        """Take in what a clip took."""
        for record in records:
            bits, seconds = record["bits"], record["duration_s"]
            if record["kind"] == "coding" and bits is not None and (seconds or 0) > self._seconds:
                self._bits, self._seconds = bits, seconds or 0.0

    def remarks(self) -> list[str]:
        """What a user should know; nothing if the spec is true."""
        if self.nominal is None or not self._seconds:
            return []
        measured = self._bits / self._seconds
        if math.isclose(measured, self.nominal, rel_tol=TOLERANCE):
            return []
        return [
            f"{self.name}: bitrate_bps says {self.nominal:g}, and {measured:.0f} b/s were measured "
            f"on the longest clip ({self._seconds:.1f} s): a wrong spec, or much padding; "
            "`sqbench codecs check` tells"
        ]
