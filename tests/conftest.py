"""Set before anything imports torch: one thread a process, so that values and times do not depend
on what else runs, and no reach for the network."""

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
