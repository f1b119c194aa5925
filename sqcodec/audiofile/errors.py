"""Why audio cannot be used: an `InputError` that also tells the sort of the trouble."""

from __future__ import annotations

from typing import Literal

from sqcodec.errors import InputError

Kind = Literal["missing", "unreadable", "cut off", "damaged", "empty", "non-finite", "scale"]


class AudioError(InputError):
    """Audio that cannot be used.

    Args:
        what, expected, found, remedy: as of `InputError`.
        kind: the sort: not there or not permitted (``missing``), no format that is read
            (``unreadable``), shorter than it declares (``cut off``), with a hole or wrong
            checksums (``damaged``), without samples (``empty``), with NaN or infinity
            (``non-finite``), or not at full scale 1 (``scale``).
    """

    def __init__(
        self, what: str, *, kind: Kind, expected: str = "", found: str = "", remedy: str = ""
    ) -> None:
        super().__init__(what, expected=expected, found=found, remedy=remedy)
        self.kind: Kind = kind

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.what, self.kind, self.expected, self.found, self.remedy)


def _rebuild(what: str, kind: Kind, expected: str, found: str, remedy: str) -> AudioError:
    return AudioError(what, kind=kind, expected=expected, found=found, remedy=remedy)
