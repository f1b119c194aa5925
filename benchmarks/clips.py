"""What a clip costs beside coding and measuring: many short clips through a cheap codec.

    python benchmarks/clips.py                          # 1,000 clips, local
    python benchmarks/clips.py --clips 1000,10000 --engine local,ray

Prints seconds from the first clip to the last (`run.json`), milliseconds of them a clip, those
that the codec took, and the most memory that the run's own process (the driver) had.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import soundfile

SECONDS = 0.3
RATE = 16000


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parse.add_argument("--clips", default="1000")
    parse.add_argument("--engine", default="local")
    parse.add_argument("--workers", type=int, default=2)
    options = parse.parse_args()
    print("engine       clips  wall s  ms a clip     codec ms  driver MB")
    for count in map(int, options.clips.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            data = _clips(Path(folder) / "data", count)
            for number, engine in enumerate(options.engine.split(",")):
                out = Path(folder) / f"out-{number}"
                _report(engine, count, out, _run(engine, data, out, options.workers))


def _clips(root: Path, count: int) -> Path:
    root.mkdir()
    rng = np.random.default_rng(0)
    for i in range(count):
        noise = 0.1 * rng.standard_normal(int(SECONDS * RATE))
        soundfile.write(root / f"{i:06d}.wav", noise, RATE, subtype="PCM_16")
    return root


def _run(engine: str, data: Path, out: Path, workers: int) -> float:
    """The driver's peak memory in MB."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sqbench", "run", "--codec", "mulaw-8", "--data", str(data),
         "--domain", "speech", "--metrics", "si-sdr", "--out", str(out), "--engine", engine,
         "--workers", str(workers), "--quiet"],
    )  # fmt: skip
    peak = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max(
                int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")
            )
        except (OSError, ValueError):
            pass  # it ended meanwhile
        time.sleep(0.5)
    if process.returncode:
        raise SystemExit(process.returncode)
    return peak / 1024


def _report(engine: str, count: int, out: Path, peak: float) -> None:
    (file,) = out.glob("*/run.json")
    run = json.loads(file.read_text())
    begin, end = (datetime.fromisoformat(run[key]) for key in ("started", "finished"))
    wall = (end - begin).total_seconds()
    spent = 0.0
    for line in file.with_name("records.jsonl").read_text().splitlines():
        record = json.loads(line)
        spent += (record["encode_s"] or 0.0) + (record["decode_s"] or 0.0)
    print(
        f"{engine:12} {count:5}  {wall:6.1f}  {1000 * wall / count:9.2f}"
        f"  {1000 * spent / count:9.3f}  {peak:9.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
