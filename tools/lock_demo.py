"""Writes requirements/demo.txt: the lines of requirements/lock.txt that `make demo` needs.

The demo needs sqbench itself with its extras ``opus`` and ``offline``, and what builds an editable
install. What those need in turn is read from the metadata of what the running interpreter has
installed. Run: ``.venv/bin/python tools/lock_demo.py`` (``tools/lock.sh`` does).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"
ROOTS = ("sqbench[opus,offline]", "hatchling", "editables")


def closure(roots: Iterable[str]) -> set[str]:
    """Canonical names of everything that `roots` need on this platform, themselves included."""
    seen: set[tuple[str, str]] = set()
    todo = [Requirement(root) for root in roots]
    while todo:
        wanted = todo.pop()
        for extra in sorted(wanted.extras) or [""]:
            key = (canonicalize_name(wanted.name), extra)
            if key in seen:
                continue
            seen.add(key)
            try:
                needs = requires(wanted.name) or []
            except PackageNotFoundError:
                continue  # of another platform
            for need in map(Requirement, needs):
                if need.marker is None or need.marker.evaluate({"extra": extra}):
                    todo.append(need)
    return {name for name, _ in seen}


def main() -> None:
    """Write the file."""
    wanted = closure(ROOTS)
    lines = (REQUIREMENTS / "lock.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    kept = [p for p in pins if canonicalize_name(re.split("==", p)[0].strip()) in wanted]
    head = "# Made by tools/lock_demo.py: the lines of lock.txt that `make demo` needs."
    (REQUIREMENTS / "demo.txt").write_text("\n".join([head, *kept]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
