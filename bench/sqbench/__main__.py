"""``python -m sqbench``."""

import sys

from sqbench.cli import main

sys.exit(main())
