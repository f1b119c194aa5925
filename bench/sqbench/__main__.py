"""``python -m sqbench``."""

import sys

from sqbench.cli import main

if __name__ == "__main__":
    sys.exit(main())
