"""The one error that bad input raises, everywhere in the project."""

from __future__ import annotations


class InputError(ValueError):
    """Input that cannot be used.

    Args:
        what: the thing at fault, named so that a user can find it (a file path, an option).
        expected: what would have been right.
        found: what was there instead.
        remedy: what to do about it (a command where there is one).
    """

    def __init__(self, what: str, *, expected: str = "", found: str = "", remedy: str = "") -> None:
        self.what, self.expected, self.found, self.remedy = what, expected, found, remedy
        parts = [what]
        if expected:
            parts.append(f"expected {expected}")
        if found:
            parts.append(f"found {found}")
        text = "; ".join(parts)
        super().__init__(f"{text}. {remedy}" if remedy else text)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling, and errors cross processes.
        return _rebuild, (self.what, self.expected, self.found, self.remedy)


def _rebuild(what: str, expected: str, found: str, remedy: str) -> InputError:
    return InputError(what, expected=expected, found=found, remedy=remedy)
