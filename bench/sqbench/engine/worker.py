"""A worker process: receives ``(function, item)``, sends back ``(ok, result or reason)``."""

from __future__ import annotations

import os
import pickle
import sys
from multiprocessing.connection import Connection


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
            message = pickle.dumps(result, pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # a result may be of anybody's class
            reason = f"the result does not pickle: {type(error).__name__}: {error}"
            message = pickle.dumps((False, reason))
        try:
            connection.send_bytes(message)
        except ConnectionError:
            return


if __name__ == "__main__":
    main(int(sys.argv[1]))
