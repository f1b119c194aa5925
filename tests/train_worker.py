"""The trainer's command on the tiny network, in a process of its own that a test may kill.

Usage: ``train_worker.py DATA OUT [option ...]``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))

from train_fixtures import SMALL_ADVERSARY, TINY

from sqcodec.train import evaluation
from sqcodec.train.command import main

if __name__ == "__main__":
    data, out, *extra = sys.argv[1:]
    values = {
        **SMALL_ADVERSARY,
        "batch_size": 4,
        "ema": 0.9,
        "quantizer.estimator": "taae",
        "quantizer.bypass_steps": 0,
        "losses.adversarial_limit": 1.0,
    }
    settings = [f"--set={key}={str(value).lower()}" for key, value in values.items()]
    evaluation.SECONDS = 0.2
    options = [
        "--recipe=cpu",
        "--set=precision=float32",
        "--every=2",
        "--evaluate-every=0",
        "--max-steps=12",
    ]
    with mock.patch("sqcodec.config.load_config", return_value=TINY):
        sys.exit(main([f"--data={data}", f"--out={out}", *options, *settings, *extra]))
