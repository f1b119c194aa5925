"""What machines cost, as a user writes it: a TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from sqbench.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Money.

    Attributes:
        node_hour: of a machine.
        once: whatever the machines cost (storage, transfer).
        currency: its name.
    """

    node_hour: float
    once: float = 0.0
    currency: str = ""

    def of(self, node_hours: float) -> float:
        """Of so many hours of a machine in all."""
        return self.once + self.node_hour * node_hours


def read(path: Path) -> Prices:
    """``node_hour = 3.06``, and if there is more ``once`` and ``currency``.

    Raises:
        InputError: the file cannot be read, or says something else.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"--prices {path}", expected="a TOML file", found=str(error)) from error
    numbers = {key: found.pop(key) for key in ("node_hour", "once") if key in found}
    currency = found.pop("currency", "")
    wrong = [key for key, n in numbers.items() if isinstance(n, bool) or not _is_price(n)]
    if found or wrong or "node_hour" not in numbers or not isinstance(currency, str):
        raise InputError(
            f"--prices {path}",
            expected="node_hour = NUMBER, and if need be once = NUMBER, currency = TEXT",
            found=", ".join([*found, *wrong]) or "no node_hour",
        )
    return Prices(**{key: float(n) for key, n in numbers.items()}, currency=currency)


def _is_price(number: object) -> bool:
    return isinstance(number, int | float) and number >= 0
