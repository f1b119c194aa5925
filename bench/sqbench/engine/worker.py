"""A worker process: receives ``(function, item)``, sends back ``(ok, result or reason)``."""

from __future__ import annotations

import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path


def main(descriptor: int) -> None:
    connection = Connection(descriptor)
    parent = os.getppid()
    while True:
        # A parent that was killed leaves the line closed, or this process to another parent.
        try:
            function, item = connection.recv()
        except (EOFError, ConnectionError):
            return
        except Exception as error:
            connection.send((False, f"{type(error).__name__}: {error}"))
            continue
        if os.getppid() != parent:
            return
        if function == "path":
            sys.path[:] = item
            continue
        try:
            result = (True, function(item))
        except Exception as error:
            result = (False, f"{type(error).__name__}: {error}")
        try:
            connection.send(result)
        except (BrokenPipeError, ConnectionError):
            return


def peak_rss_bytes(_: object = None) -> int:
    """Peak resident memory of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmHWM")


if __name__ == "__main__":
    main(int(sys.argv[1]))
