"""The line that installs what an extra of this package brings."""

from __future__ import annotations

from functools import cache
from importlib import metadata


@cache
def pip_line(extra: str) -> str:
    """``pip install 'av>=14'``: the extra's packages by name.

    Not ``sqbench[extra]``: the package index knows no sqbench, and a checkout's path is the
    user's to know.
    """
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires("sqbench") or []
    except metadata.PackageNotFoundError:
        return f"pip install '.[{extra}]' in the checkout"
    wanted = []
    for requirement in map(Requirement, lines):
        marker = requirement.marker
        if (
            marker is not None
            and marker.evaluate({"extra": extra})
            and not marker.evaluate({"extra": ""})
        ):
            wanted.append(f"'{requirement.name}{requirement.specifier}'")
    return f"pip install {' '.join(wanted)}" if wanted else f"pip install '.[{extra}]'"
