"""The four tasks by name."""

from __future__ import annotations

from sqbench.tasks.aec import AEC
from sqbench.tasks.asr import ASR
from sqbench.tasks.asv import ASV
from sqbench.tasks.base import Task
from sqbench.tasks.er import ER

TASKS: dict[str, Task] = {task.name: task for task in (ASR(), ASV(), ER(), AEC())}
"""In the order of the paper's Table 2."""
