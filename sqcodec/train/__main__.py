"""``python -m sqcodec.train``: see `sqcodec.train.command`."""

import sys

from sqcodec.train.command import main

if __name__ == "__main__":
    sys.exit(main())
