"""Count the networks of the paper's Table 1 by the uniform convention, for the package's data.

Needs the packages of the extra ``codecs``; no weights, no network.
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

from sqbench.atomic import write_text
from sqbench.complexity import known
from sqbench.complexity.run import build

FILE = Path(known.__file__).parent / "data" / known.FILE


def main() -> int:
    """Write the file; 2 if a network could not be counted."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(known.HEADER)
    failed = 0
    for row in build(convention="paper"):
        if row.published is None or row.operations is None:
            failed += 1
            print(f"{row.model}: {row.reason}", file=sys.stderr)
            continue
        writer.writerow([*known.key(row.published), f"{row.operations.total / 1e9:.4f}"])
    if not failed:
        write_text(FILE, stream.getvalue())
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
