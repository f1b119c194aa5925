"""Options that take a list: ``--metrics sdr,mel`` and ``--metrics sdr --metrics mel`` are one."""

from __future__ import annotations

import argparse
from typing import Any


class Joined(argparse.Action):
    """A comma-separated option that may be given again: what was given before is kept."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        again = before is not None and before is not self.default
        setattr(namespace, self.dest, f"{before},{values}" if again else values)
